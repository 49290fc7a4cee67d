"""The shipped cells, and odd ones built by hand."""

from __future__ import annotations

from celldsl import relatives
from celldsl.source import Source
from tests.symbolic.hand import call, cell, concat, identity, sigmoid, tanh
from tests.symbolic.specs import ALL, shipped


def rnn():
    return shipped("rnn")


def lstm():
    return shipped("lstm")


def lstm1():
    return shipped("lstm1")


def lstm2():
    return shipped("lstm2")


def lstm3():
    return shipped("lstm3")


def ulstm():
    return shipped("ulstm")


def gru():
    return shipped("gru")


def gru_reset_after():
    return shipped("gru_reset_after")


def all_shipped():
    return [shipped(name) for name in ALL]


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


def parts():
    """Vectors cut, every entry twice, and cut again: overlapping slices, a slice of a parameter, of all entries."""
    text = """
    cell Parts {
      param W: (2 n + 1)×m
      v_t = W x_t + b
      k_t = v_t[2..n + 1] ⊙ v_t[1..n] + v_t[n + 2 .. 2n + 1] + b[1..n]
      r_t = σ(R h_{t-1} + S x_t)
      c_t = repeat(r_t ⊙ r_t, 2) ⊙ c_{t-1} + tanh(k_t)
      h_t = repeat(r_t, 2) ⊙ c_t[1..n] + U h_{t-1}
    }
    """
    (cell,) = relatives.check(Source(text))
    return cell


def odd():
    return [parts(), projected(), delayed(), reduced(), functions(), antisymmetric(), constant_gates(), cubic()]
