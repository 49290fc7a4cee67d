"""Equality of cells: proofs, renamings, refutations, and what is said to differ."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from celldsl.check import cell as checked
from celldsl.symbolic.claims import substituted
from celldsl.symbolic.equality import compare
from celldsl.symbolic.knots import Table
from celldsl.symbolic.normal import Normal
from tests.symbolic.specs import ALL, body, read, shipped

GATE = "{g}_t = σ(W_{g} x_t + U_{g} h_{{t-1}} + b_{g})"
ULSTM = [GATE.format(g=g) for g in "iozf"] + [
    "u_t = tanh(W_u x_t + M (z_t ⊙ tanh(c_{t-1})) + b_u)",
    "c_t = i_t ⊙ u_t + f_t ⊙ c_{t-1}",
    "h_t = o_t ⊙ tanh(c_t)",
]


def holds(cell):
    """The result of the cell's last claim."""
    from celldsl.symbolic.claims import verify_claims

    return verify_claims(cell)[-1]


# --- names as they are ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("z_t = σ(W x_t); h_t = z_t * h_{t-1} + (1 - z_t) * x_t", "h_t = x_t + σ(W x_t) * (h_{t-1} - x_t)"),
        ("h_t = σ(W x_t) * h_{t-1}", "h_t = h_{t-1} - σ(-(W x_t)) * h_{t-1}"),
        ("h_t = tanh(-h_{t-1}) * σ(W x_t)", "h_t = -tanh(h_{t-1}) * σ(W x_t)"),
        ("h_t = W (h_{t-1} + 2 x_t)", "h_t = W h_{t-1} + 2 W x_t"),
        ("param W: n×n; h_t = W (V h_{t-1}) + x_t", "param W: n×n; h_t = (W V) h_{t-1} + x_t"),
        ("h_t = (A - B) h_{t-1} + x_t", "h_t = A h_{t-1} - B h_{t-1} + x_t"),
        ("param A: n×n; h_t = A^T (B^T h_{t-1}) + x_t", "param A: n×n; h_t = (B A)^T h_{t-1} + x_t"),
        ("h_t = exp(x_t - h_{t-1}) * exp(h_{t-1}) + b", "h_t = exp(x_t) + b"),
        ("h_t = h_{t-1} / (1 + exp(-x_t))", "h_t = σ(x_t) * h_{t-1}"),
        ("h_t = silu(W x_t) + h_{t-1}", "a_t = W x_t; h_t = a_t * σ(a_t) + h_{t-1}"),
        ("h_t = relu(W x_t) + h_{t-1}", "h_t = max(0, W x_t) + h_{t-1}"),
        ("h_t = min(x_t, h_{t-1})", "h_t = -max(-h_{t-1}, -x_t)"),
        ("h_t = mean(h_{t-1}) * x_t", "h_t = sum(h_{t-1}) / n * x_t"),
        ("h_t = dot(h_{t-1}, x_t) * x_t", "h_t = sum(x_t * h_{t-1}) * x_t"),
        ("h_t = 2 σ(2 h_{t-1}) - 1 + x_t", "h_t = tanh(h_{t-1}) + x_t"),
        ("h_t = sqrt(2 + x_t * x_t) + h_{t-1}", "h_t = (x_t^2 + 2)^0.5 + h_{t-1}"),
        ("A = U - U^T; h_t = A h_{t-1} + x_t", "h_t = U h_{t-1} + x_t - U^T h_{t-1}"),
        ("const k = 0.5; h_t = k * h_{t-1} + x_t", "h_t = 1/2 h_{t-1} + x_t"),
        ("s_t = tanh(U h_{t-1} + x_t); h_t = s_t", "h_t = tanh(x_t + U h_{t-1})"),
    ],
)
def test_equal(one, other):
    found = compare(body(one), body(other))
    assert found.verdict == "equal", found
    assert found.deviation < 1e-12
    assert found.differences == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("h_t = σ(W x_t + U h_{t-1})", "h_t = σ(W x_t - U h_{t-1})"),
        ("h_t = A h_{t-1} + x_t", "h_t = A^T h_{t-1} + x_t"),
        ("param A: n×n; h_t = A (B h_{t-1}) + x_t", "param A: n×n; h_t = B (A h_{t-1}) + x_t"),
        ("h_t = tanh(x_t + U h_{t-1})", "h_t = x_t + tanh(U h_{t-1})"),
        ("h_t = W (x_t * h_{t-1}) + b", "h_t = (W x_t) * h_{t-1} + 0 * x_t + b"),
        ("h_t = 0.5 h_{t-1} + x_t", "h_t = 0.51 h_{t-1} + x_t"),
        ("hyper a = 0.5; h_t = a * h_{t-1} + x_t", "hyper a = 0.6; h_t = a * h_{t-1} + x_t"),
        ("h_t = tanh(h_{t-1} + x_t)", "init h_0 = 1; h_t = tanh(h_{t-1} + x_t)"),
        ("h_t = tanh(h_{t-1} + x_t)", "h_t = tanh(h_{t-2} + x_t)"),
        ("h_t = max(x_t, h_{t-1})", "h_t = min(x_t, h_{t-1})"),
        ("h_t = softmax(x_t + h_{t-1})", "h_t = softmax(x_t) + softmax(h_{t-1})"),
    ],
)
def test_different(one, other):
    found = compare(body(one), body(other))
    assert found.verdict == "different"
    assert found.deviation > 1e-6
    assert found.differences


def test_equal_only_beyond_the_rules_is_undecided():
    found = compare(body("h_t = sin(x_t)^2 + cos(x_t)^2 + 0 h_{t-1} + b"), body("h_t = x_t / x_t + 0 h_{t-1} + b"))
    assert found.verdict == "undecided"
    assert found.deviation < 1e-12


def test_inherited_and_dropped_is_lstm1():
    dropped = read("cell LSTM1_by_drop extends LSTM { drop W_i, W_f, W_o }")
    assert compare(dropped, shipped("lstm1")).equal
    assert not compare(dropped, shipped("lstm2")).equal


def test_large_sums_do_not_explode():
    lines = ["s_t = h_{t-1}"]
    for at in range(24):
        before = "s_t" if at == 0 else f"s{at}_t"
        lines.append(
            f"s{at + 1}_t = {before} + σ(A_{at} {before}) * (tanh(B_{at} {before}) - {before}) * ({before} + x_t)"
        )
    text = "\n".join([*lines, "h_t = s24_t"])
    assert compare(body(text), body(text)).equal


# --- what differs --------------------------------------------------------------------------


def test_differences_are_the_terms_alone():
    found = compare(shipped("lstm"), shipped("lstm1"))
    assert [(d.name, d.left, d.right) for d in found.differences] == [(g, f"W_{g} x_t", "") for g in "ifo"]
    found = compare(shipped("gru"), shipped("gru_reset_after"))
    assert [(d.name, d.left, d.right) for d in found.differences] == [
        ("h_tilde", "U_h (r_t ⊙ h_{t-1})", "r_t ⊙ (U_h h_{t-1} + d_h)")
    ]


def test_differences_name_whole_equations_that_one_side_lacks():
    found = compare(shipped("ulstm"), shipped("lstm"))
    assert ("z", "z_t = σ(W_z x_t + U_z h_{t-1} + b_z)", "") in [(d.name, d.left, d.right) for d in found.differences]


def test_differences_of_first_values_and_settings():
    found = compare(body("h_t = tanh(h_{t-1} + x_t)"), body("init h_0 = 1; h_t = tanh(h_{t-1} + x_t)"))
    assert [(d.name, d.left, d.right) for d in found.differences] == [("h_0", "0", "1")]
    found = compare(body("h_t = W h_{t-1} + x_t"), body("param W: n; h_t = W ⊙ h_{t-1} + x_t"))
    assert [(d.name, d.left, d.right) for d in found.differences] == [("W", "n×n", "n-vector")]


# --- renaming ------------------------------------------------------------------------------

MINE = """
  f_t = sigmoid(b_f + W_fx x_t + W_fh h_{t-1})
  g_t = tanh(W_gx x_t + W_gh h_{t-1} + b_g)
  i_t = sigmoid(W_ix x_t + W_ih h_{t-1} + b_i)
  s_t = f_t * s_{t-1} + g_t * i_t
  q_t = tanh(s_t)
  h_t = q_t ⊙ o_t
  o_t = sigmoid(W_oh h_{t-1} + W_ox x_t + b_o)
"""


def test_a_users_lstm_is_recognised():
    found = compare(shipped("lstm"), body(MINE), rename=True)
    assert found.equal
    expected = {f"W_{g}": f"W_{k}x" for g, k in zip("ifoc", "ifog", strict=True)}
    expected |= {f"U_{g}": f"W_{k}h" for g, k in zip("ifoc", "ifog", strict=True)}
    expected |= {f"b_{g}": f"b_{k}" for g, k in zip("ifoc", "ifog", strict=True)}
    assert found.renaming == expected
    assert found.signals["c"] == "s"
    assert found.deviation < 1e-12


def test_stacked_inputs_are_blocks_of_columns():
    gates = "\n".join(f"{g}_t = σ(W_{g} [h_{{t-1}}, x_t] + b_{g})" for g in "ifo")
    stacked = body(f"{gates}\nc_t = f_t * c_{{t-1}} + i_t * tanh(W_c [h_{{t-1}}, x_t] + b_c)\nh_t = o_t * tanh(c_t)")
    found = compare(shipped("lstm"), stacked, rename=True)
    assert found.equal
    assert found.renaming["U_i"] == "W_i[:, :n]"
    assert found.renaming["W_i"] == "W_i[:, n:m + n]"
    assert found.deviation < 1e-12
    other_way = compare(stacked, shipped("lstm"), rename=True)
    assert other_way.equal
    assert other_way.renaming["W_i[:, :n]"] == "U_i"
    assert other_way.deviation < 1e-12


def test_two_biases_are_one_sum():
    gate = "σ(W_i{g} x_t + b_i{g} + W_h{g} h_{{t-1}} + b_h{g})"
    text = "\n".join(f"{g}_t = {gate.format(g=g)}" for g in "rz")
    torch_gru = body(
        f"{text}\nn_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{{t-1}} + b_hn))\nh_t = (1 - z_t) * n_t + z_t * h_{{t-1}}"
    )
    found = compare(shipped("gru_reset_after"), torch_gru, rename=True)
    assert found.equal
    assert found.renaming["b_r"] == "b_ir + b_hr"
    assert found.renaming["b_h"] == "b_in"
    assert found.renaming["d_h"] == "b_hn"
    assert found.deviation < 1e-12
    other_way = compare(torch_gru, shipped("gru_reset_after"), rename=True)
    assert other_way.renaming["b_ir + b_hr"] == "b_r"
    assert other_way.deviation < 1e-12


def test_swapped_gates_are_equal_up_to_sign():
    cell = read("cell Swapped extends GRU { h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ h̃_t }")
    assert not compare(shipped("gru"), cell).equal
    found = compare(shipped("gru"), cell, rename=True)
    assert found.equal
    assert set(found.negated) == {"W_z", "U_z", "b_z"}
    assert found.renaming["W_z"] == "-W_z"
    assert "sign" in found.how
    assert found.deviation < 1e-12


def test_a_transposed_matrix():
    found = compare(body("h_t = tanh(U^T h_{t-1} + x_t)"), body("h_t = tanh(A h_{t-1} + x_t)"), rename=True)
    assert found.renaming == {"U": "A^T"}
    assert found.deviation < 1e-12


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("i_t = sigmoid", "i_t = tanh"),
        ("g_t * i_t", "g_t * f_t * i_t"),
        ("+ W_ih h_{t-1}", "+ W_fh h_{t-1}"),
        ("+ b_g)", ")"),
        ("tanh(s_t)", "tanh(s_{t-1})"),
        ("f_t * s_{t-1}", "f_t * h_{t-1}"),
    ],
)
def test_almost_an_lstm_is_not(old, new):
    text = MINE.replace(old, new)
    assert text != MINE
    assert not compare(shipped("lstm"), body(text), rename=True).equal


def test_a_parameter_used_twice_is_not_two():
    """A block bound whole and in part, or two parameters bound to one, would not be a renaming."""
    one = body("h_t = tanh(A h_{t-1} + x_t) + σ(A h_{t-1})")
    two = body("h_t = tanh(A h_{t-1} + x_t) + σ(B h_{t-1})")
    assert not compare(one, two, rename=True).equal
    assert not compare(two, one, rename=True).equal
    mixed = body("h_t = tanh(A h_{t-1} + B x_t) * σ(b)")
    shared = body("h_t = tanh(W [h_{t-1}, x_t]) * σ(b) + 0 * (W [x_t, h_{t-1}])")
    assert compare(mixed, body("h_t = tanh(W [h_{t-1}, x_t]) * σ(b)"), rename=True).equal
    overlapping = body("h_t = tanh(W [h_{t-1}, x_t]) * σ(W [x_t, h_{t-1}])")
    apart = body("h_t = tanh(A h_{t-1} + B x_t) * σ(C x_t + D h_{t-1})")
    assert not compare(apart, overlapping, rename=True).equal
    assert shared.name == "Test"


def test_a_search_among_parts_that_look_alike_is_given_up():
    """Twelve alike terms, tied to each other by a second sum in an order that no renaming fits."""

    def terms(order):
        first = " + ".join(f"σ(W_{k} x_t)" for k in range(12))
        second = " + ".join(f"tanh(W_{k} x_t) * tanh(W_{j} h_{{t-1}})" for k, j in enumerate(order))
        return body(f"h_t = ({first}) * ({second})\n" + "\n".join(f"param W_{k}: n×n" for k in range(12)))

    one = terms([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0])
    two = terms([1, 2, 3, 4, 5, 0, 7, 8, 9, 10, 11, 6])
    assert compare(one, one, rename=True).equal
    found = compare(one, two, rename=True)
    assert found.verdict == "undecided"
    assert "given up" in found.how


def test_a_cell_is_itself_and_no_other():
    for one in ALL:
        for other in ALL:
            assert compare(shipped(one), shipped(other), rename=True).equal == (one == other), (one, other)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["lstm", "gru_reset_after", "ulstm"])
def test_shuffled_and_renamed_is_the_same(name, seed):
    """Terms and factors in another order, parameters under other names: found again, and runs agree."""
    generator = random.Random(seed)
    cell = shipped(name)
    names = [info.name for info in cell.parameters]
    others = [f"P_{at}" for at in range(len(names))]
    generator.shuffle(others)
    to = dict(zip(names, others, strict=True))

    def change(node):
        if isinstance(node, checked.Parameter):
            return replace(node, name=to[node.name])
        if isinstance(node, checked.Add):
            terms = [term.transform(change) for term in node.terms]
            generator.shuffle(terms)
            return replace(node, terms=tuple(terms))
        if isinstance(node, checked.Mul):
            sides = [node.left.transform(change), node.right.transform(change)]
            generator.shuffle(sides)
            return replace(node, left=sides[0], right=sides[1])
        return None

    parameters = [replace(info, name=to[info.name]) for info in cell.parameters]
    generator.shuffle(parameters)
    shuffled = replace(
        cell,
        parameters=tuple(parameters),
        equations=tuple(replace(e, value=e.value.transform(change)) for e in cell.equations),
    )
    found = compare(cell, shuffled, rename=True)
    assert found.renaming == to
    assert found.deviation < 1e-12


# --- with equations put in place -----------------------------------------------------------


def test_ulstm_with_z_as_the_earlier_output_gate_is_lstm():
    result = holds(shipped("ulstm"))
    assert result.ok
    assert "M is U_c" in result.found
    assert "runs agree" in result.how


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tanh(c_{t-1})", "c_{t-1}"),
        ("z_t ⊙ tanh(c_{t-1})", "z_t + tanh(c_{t-1})"),
        ("f_t ⊙ c_{t-1}", "f_t ⊙ h_{t-1}"),
        ("h_t = o_t ⊙ tanh(c_t)", "h_t = o_t ⊙ c_t"),
        ("h_t = o_t ⊙ tanh(c_t)", "h_t = o_t ⊙ tanh(c_t) + i_t"),
        ("M (z_t", "M (2 z_t"),
    ],
)
def test_wrong_ulstms_are_refuted(old, new):
    lines = "\n".join(ULSTM)
    changed = lines.replace(old, new)
    assert changed != lines
    assert holds(body(f"{lines}\nclaim equals LSTM when z_t = o_{{t-1}}")).ok
    assert not holds(body(f"{changed}\nclaim equals LSTM when z_t = o_{{t-1}}")).ok


@pytest.mark.parametrize("when", ["z_t = o_t", "z_t = i_{t-1}", "z_t = 1", "z_t = 0"])
def test_wrong_substitutions_are_refuted(when):
    assert not holds(body("\n".join([*ULSTM, f"claim equals LSTM when {when}"]))).ok


def test_the_first_state_takes_part_in_the_proof():
    """h_{t-1} = o_{t-1} * tanh(c_{t-1}) fails at the first step where h does not start as that."""
    lines = "\n".join([*ULSTM, "claim equals LSTM when z_t = o_{t-1}"])
    assert not holds(body(f"init h_0 = 1\n{lines}")).ok
    assert not holds(body(f"init c_0 = 1\n{lines}")).ok
    assert not holds(body(f"init h_0 = learned\n{lines}")).ok


def test_unfolding_asks_for_the_first_value():
    text = "c_t = W x_t + c_{t-1}; h_t = tanh(c_t) + 0 h_{t-1}"
    assert set(Normal(body(text.replace(" + 0 h_{t-1}", " ")), Table(), unfold=True).unfolded) == {"h"}
    late = "o_t = σ(W x_t + U h_{t-1}); h_t = 1 - o_t"
    assert "h" not in Normal(body(late), Table(), unfold=True).unfolded  # 1 - o_0 is not 0 whatever o_0 is
    assert "h" in Normal(body(late.replace("1 - o_t", "o_t * 0")), Table(), unfold=True).unfolded


def test_substituted_is_checked_anew():
    cell = substituted(shipped("ulstm"), shipped("ulstm").claims[-1].when)
    assert "W_z" not in cell.parameter
    assert cell.signal["o"].depth == 1


def test_replacement_visits_shared_parts_once():
    deep = 40  # as a tree, 2^40 visits
    nodes = [f"s{k + 1}_t = tanh(A s{k}_t) ⊙ σ(B s{k}_t)" for k in range(deep)]
    cell = read("cell Deep {\n s0_t = W x_t + U h_{t-1}\n" + "\n".join(nodes) + f"\n h_t = s{deep}_t\n}}")
    normal, visits = Normal(cell, Table()), []
    value = normal.of("h")
    assert normal.replaced(value, lambda name: visits.append(name)) == value
    assert sorted(set(visits)) == sorted(visits)
    assert {name.name for name in visits} == {"x", "h"}
