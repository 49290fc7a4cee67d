"""The shipped cells and some odd ones, built by hand."""

from __future__ import annotations

from dataclasses import replace

from tests.symbolic.hand import call, cell, concat, identity, sigmoid, tanh

GATES = {f"{p}_{g}": s for g in "ifoc" for p, s in (("U", "n n"), ("W", "n m"), ("b", "n"))}


def lstm(
    gates=lambda N, g: getattr(N, f"U_{g}") @ N.h_1 + getattr(N, f"W_{g}") @ N.x + getattr(N, f"b_{g}"),
    name="LSTM",
    **rest,
):
    def equations(N):
        return {
            "i": sigmoid(gates(N, "i")),
            "f": sigmoid(gates(N, "f")),
            "o": sigmoid(gates(N, "o")),
            "c": N.f * N.c_1 + N.i * tanh(N.U_c @ N.h_1 + N.W_c @ N.x + N.b_c),
            "h": N.o * tanh(N.c),
        }

    signals = {"x": "m", "i": "n", "f": "n", "o": "n", "c": "n", "h": "n"}
    built = cell(name, "h", signals, GATES, equations, **rest)
    used = {node.name for e in built.equations for node in e.value.walk() if type(node).__name__ == "Parameter"}
    return replace(built, parameters=tuple(p for p in built.parameters if p.name in used))


def lstm1():
    return lstm(lambda N, g: getattr(N, f"U_{g}") @ N.h_1 + getattr(N, f"b_{g}"), "LSTM1")


def lstm2():
    return lstm(lambda N, g: getattr(N, f"U_{g}") @ N.h_1, "LSTM2")


def lstm3():
    return lstm(lambda N, g: getattr(N, f"b_{g}"), "LSTM3")


def ulstm(operand=None, **rest):
    parameters = {f"{p}_{g}": s for g in "iozf" for p, s in (("W", "n m"), ("U", "n n"), ("b", "n"))}
    parameters |= {"W_u": "n m", "M": "n n", "b_u": "n"}

    def equations(N):
        def gate(g):
            return sigmoid(getattr(N, f"W_{g}") @ N.x + getattr(N, f"U_{g}") @ N.h_1 + getattr(N, f"b_{g}"))

        return {g: gate(g) for g in "iozf"} | {
            "u": tanh(N.W_u @ N.x + N.M @ (operand(N) if operand else N.z * tanh(N.c_1)) + N.b_u),
            "c": N.i * N.u + N.f * N.c_1,
            "h": N.o * tanh(N.c),
        }

    signals = {"x": "m", "i": "n", "o": "n", "z": "n", "f": "n", "u": "n", "c": "n", "h": "n"}
    return cell("ULSTM", "h", signals, parameters, equations, **rest)


def gru():
    parameters = {f"{p}_{g}": s for g in "rzh" for p, s in (("W", "n m"), ("U", "n n"), ("b", "n"))}

    def equations(N):
        return {
            "r": sigmoid(N.W_r @ N.x + N.U_r @ N.h_1 + N.b_r),
            "z": sigmoid(N.W_z @ N.x + N.U_z @ N.h_1 + N.b_z),
            "h": N.z * N.h_1 + (1 - N.z) * N.h_tilde,
            "h_tilde": tanh(N.W_h @ N.x + N.U_h @ (N.r * N.h_1) + N.b_h),
        }

    return cell("GRU", "h", {"x": "m", "r": "n", "z": "n", "h": "n", "h_tilde": "n"}, parameters, equations)


def gru_reset_after():
    parameters = {f"{p}_{g}": s for g in "rzh" for p, s in (("W", "n m"), ("U", "n n"), ("b", "n"))} | {"d_h": "n"}

    def equations(N):
        return {
            "r": sigmoid(N.W_r @ N.x + N.U_r @ N.h_1 + N.b_r),
            "z": sigmoid(N.W_z @ N.x + N.U_z @ N.h_1 + N.b_z),
            "h": N.z * N.h_1 + (1 - N.z) * N.h_tilde,
            "h_tilde": tanh(N.W_h @ N.x + N.b_h + N.r * (N.U_h @ N.h_1 + N.d_h)),
        }

    return cell("GRU_reset_after", "h", {"x": "m", "r": "n", "z": "n", "h": "n", "h_tilde": "n"}, parameters, equations)


def rnn():
    return cell(
        "RNN",
        "h",
        {"x": "m", "h": "n"},
        {"W": "n m", "U": "n n", "b": "n"},
        lambda N: {"h": tanh(N.W @ N.x + N.U @ N.h_1 + N.b)},
    )


def shipped():
    return [rnn(), lstm(), lstm1(), lstm2(), lstm3(), gru(), gru_reset_after(), ulstm()]


# --- odd ones ------------------------------------------------------------------------------


def projected():
    """States of different widths, a projection, an output that is not its own state's function alone."""
    parameters = {f"{p}_{g}": s for g in "ifoc" for p, s in (("W", "p m"), ("U", "p n"), ("b", "p"))} | {"R": "n p"}

    def equations(N):
        def pre(g):
            return getattr(N, f"W_{g}") @ N.x + getattr(N, f"U_{g}") @ N.h_1 + getattr(N, f"b_{g}")

        return {g: sigmoid(pre(g)) for g in "ifo"} | {
            "c": N.f * N.c_1 + N.i * tanh(pre("c")),
            "h": N.R @ (N.o * tanh(N.c)),
        }

    return cell("LSTMP", "h", {"x": "m", "i": "p", "f": "p", "o": "p", "c": "p", "h": "n"}, parameters, equations)


def delayed():
    """x and h two steps back, a scalar parameter, powers, quotients and a hyper-parameter."""

    def equations(N):
        return {
            "z": tanh(N.W @ N.x + N.V @ N.x_1 + N.p * N.h_2 + N.b),
            "f": sigmoid(N.W_f @ N.x + N.U @ N.h_1),
            "h": N.alpha * N.f / (1 + N.f**2) * N.h_1
            + (1 - N.f) ** 3 * N.z * N.kappa
            + call("exp", -N.h_2 * N.h_2) / 7,
        }

    return cell(
        "Delayed",
        "h",
        {"x": "m", "z": "n", "f": "n", "h": "n"},
        {"W": "n m", "V": "n m", "W_f": "n m", "U": "n n", "p": "n", "b": "n", "alpha": ""},
        equations,
        settings={"kappa": "0.96"},
    )


def reduced():
    """Scalars that stretch, functions along a vector, concatenation, transposes."""

    def equations(N):
        return {
            "a": call("softmax", N.A @ concat(N.h_1, N.x) + N.b),
            "s": call("sum", N.a * N.h_1) + call("dot", N.h_1, N.b) + N.beta,
            "q": call("layernorm", N.U.T @ N.h_1 + N.W @ N.x) * N.g + call("mean", N.h_1),
            "k": call("cumax", N.W @ N.x + N.b),
            "h": sigmoid(N.s) * N.q
            + (1 - sigmoid(N.s)) * N.k * N.beta
            + call("rmsnorm", N.q) * call("norm", N.q)
            + call("cumsum", N.a),
        }

    return cell(
        "Reduced",
        "h",
        {"x": "m", "a": "n", "s": "", "q": "n", "k": "n", "h": "n"},
        {"A": "n n+m", "W": "n m", "U": "n n", "b": "n", "g": "n", "beta": ""},
        equations,
    )


def functions():
    """Every elementwise function once."""

    def equations(N):
        u = N.W @ N.x + N.U @ N.h_1
        ones = [
            "relu",
            "hard_sigmoid",
            "hard_tanh",
            "softplus",
            "softsign",
            "silu",
            "gelu",
            "elu",
            "leaky_relu",
            "log_sigmoid",
            "abs",
            "sign",
            "sin",
            "cos",
            "floor",
        ]
        total = tanh(u)
        for at, name in enumerate(ones):
            total = total + call(name, u * (at + 1) / 4 - 1) / (at + 2)
        rest = call("max", u, N.h_1) + call("min", u, N.b) + call("clamp", u, -0.5, 0.4)
        rest = rest + call("log", 1 + u * u) + call("sqrt", 2 + N.h_1) + call("exp", -u) + (1 + u * u) ** 0.3
        return {"h": tanh(total / 3) + tanh(rest / 9) / 2}

    return cell("Functions", "h", {"x": "m", "h": "n"}, {"W": "n m", "U": "n n", "b": "n"}, equations)


def antisymmetric():
    """Derived parameters, of which one is a matrix with the identity in it."""
    return cell(
        "Antisymmetric",
        "h",
        {"x": "m", "h": "n"},
        {"U": "n n", "W": "n m", "b": "n", "nu": "n", "A": "n n", "lam": "n"},
        lambda N: {"h": N.lam * N.h_1 + N.eps * tanh(N.A @ N.h_1 + N.W @ N.x + N.b)},
        timeless=lambda N: {"A": N.U - N.U.T - N.gamma * identity("n"), "lam": call("exp", -call("exp", N.nu))},
        settings={"gamma": "0.01", "eps": "0.1"},
    )


def constant_gates():
    """Gates without inputs, one read one step later, one scalar; an output map that no state reads."""

    def equations(N):
        return {
            "g": sigmoid(N.b_g),
            "k": N.g * N.g + sigmoid(N.beta) + N.M @ N.g,
            "u": N.W @ N.x,
            "c": N.g * N.c_1 + (1 - N.g) * N.k * tanh(N.u) + N.u_1,
            "y": sigmoid(N.V @ N.c) * N.u,
        }

    return cell(
        "ConstantGates",
        "y",
        {"x": "m", "g": "n", "k": "n", "u": "n", "c": "n", "y": "n"},
        {"b_g": "n", "beta": "", "W": "n m", "V": "n n", "M": "n n"},
        equations,
    )


def cubic():
    """LSTM whose candidate reads the gates of the step before (states by being read late)."""

    def equations(N):
        return {
            "o": sigmoid(N.W_o @ N.x + N.U_o @ N.h_1),
            "c": N.o_1 * N.c_1 + N.o * tanh(N.W @ N.x + N.U @ (N.o_1 * tanh(N.c_1))),
            "h": N.o * tanh(N.c) - N.c_1 * N.c,
        }

    return cell(
        "Cubic",
        "h",
        {"x": "m", "o": "n", "c": "n", "h": "n"},
        {"W_o": "n m", "U_o": "n n", "W": "n m", "U": "n n"},
        equations,
    )


def odd():
    return [projected(), delayed(), reduced(), functions(), antisymmetric(), constant_gates(), cubic()]
