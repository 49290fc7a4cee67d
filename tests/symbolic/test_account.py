"""What differs between two cells, as a reader of both papers would say it: golden texts, and what holds for all."""

from __future__ import annotations

import time

import pytest

from celldsl.symbolic.account import account
from celldsl.symbolic.agreement import TOLERANCE, deviation_of
from celldsl.symbolic.align import alignments
from celldsl.symbolic.difference import find_differences
from celldsl.symbolic.match import Pair, Part
from tests.symbolic.specs import body, shipped

GOLDEN = {
    ("lstm", "peephole_lstm"): """
names: h is y; U_i, U_f, U_o are R_i, R_f, R_o; U_c, W_c, b_c are R_z, W_z, b_z
from LSTM to Peephole_LSTM:
  i_t: + p_i ⊙ c_{t-1}
  f_t: + p_f ⊙ c_{t-1}
  o_t: + p_o ⊙ c_t
""",
    ("peephole_lstm", "lstm"): """
names: y is h; W_z, R_z, b_z are W_c, U_c, b_c; R_i, R_f, R_o are U_i, U_f, U_o
from Peephole_LSTM to LSTM:
  i_t: - p_i ⊙ c_{t-1}
  f_t: - p_f ⊙ c_{t-1}
  o_t: - p_o ⊙ c_t
""",
    ("mgu", "flax_mgu"): """
names: f is 1 - f; h̃ is n; W_f, U_f, b_f are -W_f, -U_f, -b_f; W_h, U_h, b_h are W_n, U_n, b_n
from MGU to Flax_MGU:
  h̃_t: U_h (f_t ⊙ h_{t-1}) → (1 - f_t) ⊙ (U_h h_{t-1} + d_n)
""",
    ("gru", "ugrnn"): """
names: z is g; h̃ is c; W_z, U_z, b_z are W_gx, W_gh, b_g; W_h, U_h, b_h are W_cx, W_ch, b_c
from GRU to UGRNN:
  h̃_t: r_t ⊙ h_{t-1} → h_{t-1}
  - r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
""",
    ("gru", "mgu"): """
names: z is 1 - f; W_z, U_z, b_z are -W_f, -U_f, -b_f
from GRU to MGU:
  h̃_t: r_t → 1 - z_t
  - r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
""",
    ("mgu", "ugrnn"): """
names: f is 1 - g; h̃ is c; W_f, U_f, b_f are -W_gx, -W_gh, -b_g; W_h, U_h, b_h are W_cx, W_ch, b_c
from MGU to UGRNN:
  h̃_t: f_t ⊙ h_{t-1} → h_{t-1}
""",
    ("lstm", "ulstm"): """
names: U_c, W_c, b_c are M, W_u, b_u
from LSTM to ULSTM:
  c_t: h_{t-1} → z_t ⊙ tanh(c_{t-1})
  + z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
""",
    ("lstm", "cifg"): """
from LSTM to CIFG:
  i_t: σ(U_i h_{t-1} + W_i x_t + b_i) → 1 - f_t
""",
    ("lstm", "janet"): """
from LSTM to JANET:
  h_t: o_t ⊙ tanh(c_t) → σ(s_t) ⊙ h_{t-1} + (1 - σ(s_t - β)) ⊙ c̃_t
  - i_t = σ(U_i h_{t-1} + W_i x_t + b_i)
  - f_t = σ(U_f h_{t-1} + W_f x_t + b_f)
  - o_t = σ(U_o h_{t-1} + W_o x_t + b_o)
  - c_t = f_t ⊙ c_{t-1} + i_t ⊙ tanh(U_c h_{t-1} + W_c x_t + b_c)
  + s_t = U_f h_{t-1} + W_f x_t + b_f
  + c̃_t = tanh(U_c h_{t-1} + W_c x_t + b_c)
""",
    ("gru", "gru_reset_after"): """
from GRU to GRU_reset_after:
  h̃_t: U_h (r_t ⊙ h_{t-1}) → r_t ⊙ (U_h h_{t-1} + d_h)
""",
    ("lstm", "projected_lstm"): """
from LSTM to Projected_LSTM:
  c_t: n-vector → p-vector
  h_t: o_t ⊙ tanh(c_t) → R (o_t ⊙ tanh(c_t))
""",
    ("mut2", "mut3"): """
from MUT2 to MUT3:
  x: n-vector → m-vector
  z_t: h_{t-1} → tanh(h_{t-1})
  r_t: x_t → W_xr x_t
""",
    ("gru", "minimal_rnn"): """
names: z is u; h̃ is z; U_z, b_z are U_h, b_u; W_h, b_h are W_x, b_z; U_z′ is U_z
from GRU to Minimal_RNN:
  z_t: W_z x_t → U_z′ h̃_t
  h̃_t: - U_h (r_t ⊙ h_{t-1})
  - r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
""",
    ("lstm", "indylstm"): """
from LSTM to IndyLSTM:
  i_t: U_i h_{t-1} → u_i ⊙ h_{t-1}
  f_t: U_f h_{t-1} → u_f ⊙ h_{t-1}
  o_t: U_o h_{t-1} → u_o ⊙ h_{t-1}
  c_t: U_c h_{t-1} → u_c ⊙ h_{t-1}
""",
    ("lstm", "sublstm"): """
names: U_i, U_f, U_o are R_i, R_f, R_o
from LSTM to subLSTM:
  c_t: i_t ⊙ tanh(U_c h_{t-1} + W_c x_t + b_c) → z_t - i_t
  h_t: o_t ⊙ tanh(c_t) → σ(c_t) - o_t
  + z_t = σ(W_z x_t + R_z h_{t-1} + b_z)
""",
    ("lstm", "multiplicative_lstm"): """
names: U_i, W_i are W_im, W_ix; U_f, W_f are W_fm, W_fx; U_o, W_o are W_om, W_ox; U_c, W_c, b_c are W_hm, W_hx, b_h
from LSTM to Multiplicative_LSTM:
  i_t: h_{t-1} → m_t
  f_t: h_{t-1} → m_t
  o_t: h_{t-1} → m_t
  c_t: h_{t-1} → m_t
  + m_t = W_mx x_t ⊙ W_mh h_{t-1}
""",
    ("greff_nog", "peephole_lstm"): """
from Greff_NOG to Peephole_LSTM:
  o_t: 1 → σ(W_o x^t + R_o y^{t-1} + p_o ⊙ c^t + b_o)
""",
    ("lstm", "torch_lstm"): """
from LSTM to Torch_LSTM:
  i_t: + d_i
  f_t: + d_f
  o_t: + d_o
  c_t: + d_c
""",
}

SAMPLE = [
    *GOLDEN,
    ("gru", "tau_gru"),
    ("darts_rnn", "antisymmetric_rnn"),
    ("enas_rnn", "multiplicative_lstm"),
    ("mogrifier_lstm", "fs_lstm"),
    ("lstm", "phased_lstm"),
    ("on_lstm", "lru"),
    ("slstm", "nas_cell"),
]


@pytest.mark.parametrize("pair", GOLDEN, ids="-".join)
def test_account(pair):
    assert str(account(*map(shipped, pair))) == GOLDEN[pair].strip()


@pytest.mark.parametrize(
    ("a", "b"), [("lstm", "peephole_lstm"), ("gru", "ugrnn"), ("lstm", "ulstm"), ("lstm", "indylstm"), ("gru", "mgu")]
)
def test_both_ways_say_the_same(a, b):
    """What one way adds, the other takes away, in as many places; and names lead back."""
    there, back = account(shipped(a), shipped(b)), account(shipped(b), shipped(a))

    def sides(told, turned):
        found = [(bool(d.left), bool(d.right)) for d in told.differences]
        return sorted(pair[::-1] if turned else pair for pair in found)

    assert sides(there, False) == sides(back, True)
    assert len(there.names) == len(back.names)


@pytest.mark.parametrize(("a", "b"), SAMPLE, ids=map("-".join, SAMPLE))
def test_quick_and_never_longer_than_equations_side_by_side(a, b):
    one, other = shipped(a), shipped(b)
    start = time.process_time()
    told = account(one, other)
    assert time.process_time() - start < 3  # of processor time, which a shared cache stretches
    sides = find_differences(one.evaluated, other.evaluated)
    listed = [f"{d.name}: {one.name} {d.left or '-'} {other.name} {d.right or '-'}" for d in sides]
    if not any(d.name in one.parameter and d.name in other.parameter for d in sides):  # else equations are not compared
        assert len(str(told)) <= len("\n".join(listed)) + len(f"from {one.name} to {other.name}:")


def test_an_intermediate_of_one_cell_alone_is_put_in_its_place():
    one = body("g_t = tanh(W x_t + b); h_t = g_t + V h_{t-1}")
    other = body("y_t = tanh(W x_t + b) + V y_{t-1} + p * y_{t-1}")
    assert str(account(one, other)) == "names: h is y\nfrom Test to Test:\n  h_t: + p ⊙ h_{t-1}"


def test_names_that_mean_another_thing_are_primed():
    one = body("z_t = σ(W_z x_t + b_z); h_t = z_t * h_{t-1}")
    told = account(one, body("a_t = σ(W_z x_t + V h_{t-1} + b_z); z_t = tanh(U z_{t-1}); h_t = a_t * h_{t-1} + z_t"))
    assert told.names["z"] == "a"
    assert [str(d) for d in told.differences] == [
        "z: nothing against V h_{t-1}",
        "h: nothing against z′_t",
        "z′: nothing against z′_t = tanh(U z′_{t-1})",
    ]


def test_a_gate_read_elsewhere_with_its_parameters_is_not_negated():
    """Where a gate's bias stands in another place too, one minus the gate is not the gate of the opposite sign."""
    one = body("z_t = σ(W x_t + U h_{t-1} + b); h_t = z_t * h_{t-1} + (1 - z_t) * tanh(V x_t + b)")
    other = body("f_t = σ(W x_t + U h_{t-1} + b); h_t = (1 - f_t) * h_{t-1} + f_t * tanh(V x_t + b)")
    told = account(one, other)
    assert "1 - f" not in told.names.values()
    assert told.differences
    free = body("f_t = σ(W x_t + U h_{t-1} + b); h_t = (1 - f_t) * h_{t-1} + f_t * tanh(V x_t + d + c * h_{t-1})")
    assert account(one, free).names["z"] == "1 - f"


@pytest.mark.parametrize("pair", GOLDEN, ids="-".join)
def test_cells_under_other_names_are_still_these_cells(pair):
    """On random runs: the second cell under the first's names, with the parameters of negated gates negated, and the
    first with intermediates put in their places."""
    one, other = (shipped(name).evaluated for name in pair)
    for alignment in alignments(one, other):
        names = alignment.parameters
        pairs = tuple(Pair(Part(own), (Part(names[own]),), own in alignment.opposite) for own in names)
        assert deviation_of(alignment.b, other, pairs, alignment.signals) <= TOLERANCE
        same = tuple(Pair(Part(info.name), (Part(info.name),)) for info in one.parameters)
        assert deviation_of(alignment.a, one, same, {}) <= TOLERANCE
