"""torchrecurrent (Martinuzzi): cells of the literature as modules of torch's.

It adds a second bias beside each recurrent product; `recurrent_bias=False` takes that away, so that the counts are the
papers'. Where a cell's own biases stand only beside recurrent products, the others are held at zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torchrecurrent
from torch import Tensor

from tests.peers.packages.torch_peer import TorchPeer, stepwise
from tests.peers.rows import Peer, Row


def _one(cell: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    state = cell(x, states[0])
    return state, (state,)


def _two(cell: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    after = cell(x, states)
    return after[0], after


def _apart(cell: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Of a cell whose output is no state."""
    output, after = cell(x, states if len(states) > 1 else states[0])
    return output, after if isinstance(after, tuple) else (after,)


def _delayed(cell: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Of the cell that is handed an earlier state: the states of the last steps, the latest first."""
    state = cell(x, states[0], states[-1])
    return state, (state, *states[:-1])


def _make(name: str, step: Callable[..., Any], **options: Any) -> Callable[[int, int], Peer]:
    def make(m: int, n: int) -> Peer:
        module = getattr(torchrecurrent, name)(m, n, **options).to(torch.float64)
        return TorchPeer(module, stepwise(step))

    return make


def _row(cell: str, peer: str, weights: dict[str, str], step: Callable[..., Any] = _one, **rest: Any) -> Row:
    """The package's second biases are there only where the weights speak of them."""
    options = ({"recurrent_bias": "bias_hh" in weights} if "weight_hh" in weights else {}) | rest.pop("options", {})
    return Row(cell, peer, _make(peer, step, **options), weights, **rest)


def _gates(W: str, U: str, b: str, **more: str) -> dict[str, str]:
    return {"weight_ih": W, "weight_hh": U, "bias_ih": b} | more


SQUARE = (4, 4)
"""Of cells that add their input to their state."""

HARD = 1e-7
"""torch's hard sigmoid has its slope, 1/6, in single precision."""

PREVIOUS = {"weight_ih": "W_z W_f W_o", "weight_hh": "V_z V_f V_o", "bias_ih": "b_z b_f b_o"}
"""Of the strongly typed cells, whose second matrix reads the input before."""

ROWS = [
    _row(
        "antisymmetric_rnn",
        "AntisymmetricRNNCell",
        _gates("V_h", "W_h", "b_h"),
        options={"epsilon": 0.05, "gamma": 0.01},
    ),
    _row(
        "gated_antisymmetric_rnn",
        "GatedAntisymmetricRNNCell",
        _gates("V_z V_h", "W_h", "b_z b_h"),
        options={"epsilon": 0.05, "gamma": 0.01},
    ),
    _row("t_gru", "TGRUCell", PREVIOUS, _two, states="h x"),
    _row("t_lstm", "TLSTMCell", PREVIOUS, _apart, states="c x"),
    _row(
        "tau_gru",
        "tauGRUCell",
        _gates("U_1 U_2 U_3 U_4", "W_1 W_2 W_3 W_4", "b_1 b_2 b_3 b_4"),
        _delayed,
        states="h h_2 h_3 h_4 h_5",
    ),
    _row(
        "scrn",
        "SCRNCell",
        _gates("B A", "R I", "0 0", weight_ch="P 0", alpha="0.95"),
        _two,
        states="h s",
        settings={"s": 5},
        options={"context_bias": False},
        deviates="its state is the output layer of the paper, tanh of products with the hidden and the context layer",
    ),
    _row("atr", "ATRCell", {"weight_ih": "W", "weight_hh": "U"}, options={"bias": False}),
    _row("brc", "BRCell", _gates("U_a U_c U", "w_a w_c", "b_a b_c 0")),
    _row("nbrc", "NBRCell", _gates("U_a U_c U", "W_a W_c", "b_a b_c 0")),
    _row("cfn", "CFNCell", _gates("V_theta V_eta W", "U_theta U_eta", "b_theta b_eta 0")),
    _row(
        "cornn",
        "coRNNCell",
        _gates("V", "W", "b", weight_ch="R"),
        _two,
        states="y z",
        options={"dt": 0.042, "gamma": 2.7, "epsilon": 4.7, "cell_bias": False},
    ),
    _row("fastrnn", "FastRNNCell", _gates("W", "U", "b", alpha="alpha", beta="beta")),
    _row(
        "fastgrnn",
        "FastGRNNCell",
        _gates("W", "U", "b_z b_h", zeta="zeta", nu="nu"),
        options={"nonlinearity": "sigmoid"},
    ),
    _row(
        "indrnn",
        "IndRNNCell",
        {"weight_ih": "W", "vector_u": "u", "bias_ih": "b"},
        options={"nonlinearity": "relu", "recurrent_bias": False},
    ),
    _row(
        "intersection_rnn",
        "IntersectionRNNCell",
        _gates("W_yx W_hx W_gyx W_ghx", "W_yh W_hh W_gyh W_ghh", "b_y b_h b_gy b_gh"),
        _apart,
        sizes=SQUARE,
    ),
    _row("janet", "JANETCell", _gates("W_f W_c", "U_f U_c", "b_f b_c", beta="1"), _two, states="h h"),
    _row(
        "lem_old_z",
        "LEMCell",
        _gates("V_2 V_1 V_z V_y", "W_2 W_1 W_z", "b_2 b_1 b_z b_y", weight_ch="W_y"),
        _two,
        states="y z",
        options={"cell_bias": False},
    ),
    _row(
        "lem",
        "LEMCell",
        _gates("V_2 V_1 V_z V_y", "W_2 W_1 W_z", "b_2 b_1 b_z b_y", weight_ch="W_y"),
        _two,
        states="y z",
        options={"cell_bias": False},
        deviates="y reads z before the step, the paper's reads z after it; LEM_old_z is its spec",
    ),
    _row("li_gru", "LiGRUCell", _gates("W_z W_h", "U_z U_h", "b_z b_h")),
    _row("light_ru", "LightRUCell", _gates("W_h W_f", "U_f", "b_h b_f")),
    _row(
        "mc_lstm",
        "MCLSTMCell",
        _gates("W_fx W_ix W_ox W_mx W_nx", "W_fv W_iv W_ov W_mv W_nv", "b_f b_i b_o b_m b_n"),
        _apart,
        states="v c",
    ),
    _row("mgu", "MGUCell", _gates("W_f W_h", "U_f U_h", "b_f b_h")),
    _row(
        "minimal_rnn",
        "MinimalRNNCell",
        {"weight_ih": "W_x", "weight_hh": "U_h", "weight_mm": "U_z", "bias_ih": "b_z", "bias_hh": "b_u"},
    ),
    _row("miru1", "MiRU1Cell", _gates("W_r W_h", "U_r U_h", "b_r b_h")),
    _row("miru2", "MiRU2Cell", _gates("W_h", "U_h", "b_h")),
    _row(
        "multiplicative_lstm",
        "MultiplicativeLSTMCell",
        _gates("W_mx W_ix W_fx W_hx W_ox", "W_mh", "0 b_i b_f b_h b_o", weight_mh="W_im W_fm W_hm W_om"),
        _two,
        states="h c",
        options={"multiplicative_bias": False},
    ),
    _row(
        "mut1",
        "MUT1Cell",
        _gates("W_xz W_xr I", "W_hr W_hh", "b_z 0 0", bias_hh="b_r b_h"),
        sizes=SQUARE,
    ),
    _row(
        "mut2",
        "MUT2Cell",
        _gates("W_xz I W_xh", "W_hz W_hr W_hh", "b_z b_r b_h"),
        sizes=SQUARE,
    ),
    _row("mut3", "MUT3Cell", _gates("W_xz W_xr W_xh", "W_hz W_hr W_hh", "b_z b_r b_h")),
    _row(
        "nas_cell",
        "NASCell",
        {
            f"weight_{end}": " ".join(f"{letter}_{gate}" for gate in range(8))
            for end, letter in (("ih", "W"), ("hh", "U"))
        },
        _two,
        states="h c",
        options={"bias": False},
        deviates="its fourth node adds the two products that TensorFlow's multiplies",
    ),
    _row(
        "lstm_1997",
        "OriginalLSTMCell",
        _gates("W_i W_c W_o", "U_i U_c U_o", "b_i b_c b_o"),
        _two,
        states="h c",
        deviates="tanh in the place of the first paper's scaled logistic functions",
    ),
    _row(
        "peephole_lstm",
        "PeepholeLSTMCell",
        _gates("W_i W_f W_z W_o", "R_i R_f R_z R_o", "b_i b_f b_z b_o", weight_ph="p_i p_f p_o"),
        _two,
        states="y c",
    ),
    _row("ran", "RANCell", _gates("W_cx W_ix W_fx", "W_ih W_fh", "b_i b_f"), _two, states="h c"),
    _row(
        "residual_lstm",
        "ResLSTMCell",
        _gates(
            "W_xi W_xf W_xc W_xo",
            "W_hi W_hf W_hc W_ho",
            "b_i b_f b_c b_o",
            weight_proj="W_p",
            weight_res="W_h",
            weight_ph="w_ci w_cf w_co",
        ),
        _two,
        states="h c",
    ),
    _row("sgrn", "SGRNCell", _gates("W", "U", "b")),
    _row("sgu", "SGUCell", _gates("W_xh W_xz", "W_zxh W_hz", "b_g b_z"), tolerance=HARD),
    _row("dsgu", "DSGUCell", _gates("W_xh W_xz", "W_zxh W_hz", "b_g b_z", weight_ho="W_go"), tolerance=HARD),
    _row("star", "STARCell", _gates("W_z W_x", "W_h", "b_z b_k")),
    _row("t_rnn", "TRNNCell", {"weight_ih": "W V", "bias_ih": "b_z b"}),
    _row("ugrnn", "UGRNNCell", _gates("W_cx W_gx", "W_ch W_gh", "b_c b_g")),
    _row(
        "unicornn",
        "UnICORNNCell",
        _gates("V", "w", "b", weight_ch="c"),
        _two,
        states="y z",
        options={"dt": 0.1, "alpha": 1.0},
    ),
    _row(
        "wmc_lstm",
        "WMCLSTMCell",
        _gates("W_i W_f W_c W_o", "U_i U_f U_c U_o", "b_i b_f b_c b_o", weight_mh="M_i M_f M_o"),
        _two,
        states="h c",
        options={"memory_bias": False},
    ),
]
