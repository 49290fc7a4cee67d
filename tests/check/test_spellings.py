"""Spellings of one cell, and the equations of Lu & Salem as their paper's text has them, give one checked cell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from celldsl import relatives
from celldsl.check.cell import Cell
from tests.check.specs import cell_of

ASCII = """cell LSTM {
  i[t] = sigmoid(U_i h[t-1] + W_i x[t] + b_i)  (1)
  f[t] = sigmoid(U_f h[t-1] + W_f x[t] + b_f)  (2)
  o[t] = sigmoid(U_o h[t-1] + W_o x[t] + b_o)  (3)
  c[t] = f[t] * c[t-1] + i[t] * tanh(U_c h[t-1] + W_c x[t] + b_c)  (4)
  h[t] = o[t] * tanh(c[t])  (5)
}"""

UNICODE = """cell LSTM {
  iₜ = σ(Uᵢ hₜ₋₁ + Wᵢ xₜ + bᵢ)                     (1)
  fₜ = σ(U_f hₜ₋₁ + W_f xₜ + b_f)                  (2)
  oₜ = σ(Uₒ hₜ₋₁ + Wₒ xₜ + bₒ)                     (3)
  cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ tanh(U_c hₜ₋₁ + W_c xₜ + b_c)   (4)
  hₜ = oₜ ∘ tanh(cₜ)                               (5)
}"""

LATEX = r"""cell LSTM {
  $$i_t = \sigma(U_i h_{t-1} + W_i x_t + b_i) \quad (1)$$
  $$f_t = \sigma(U_f h_{t-1} + W_f x_t + b_f) \quad (2)$$
  $$o_t = \sigma(U_o h_{t-1} + W_o x_t + b_o) \quad (3)$$
  $$c_t = f_t * c_{t-1} + i_t * \tanh(U_c h_{t-1} + W_c x_t + b_c) \quad (4)$$
  $$h_t = o_t * \tanh(c_t) \quad (5)$$
}"""

ALIGNED = r"""cell LSTM {
  \begin{align}
  \mathbf{i}_t &= \sigma\left(\mathbf{U}_{i} \mathbf{h}_{t-1} + \mathbf{W}_i \mathbf{x}_t + b_i\right) \tag{1} \\
  f_t &= \sigma(U_f h^{(t-1)} + W_f x^{(t)} + b_f) \tag{2} \\
  o_t &= \sigma(U_o \cdot h_{t-1} + W_o \cdot x_t + b_o) \tag{3} \\
  c_t &= f_t \odot c_{t-1} + i_t \circ \tanh(U_c h_{t-1} + W_c x_t + b_c) \tag{4} \\
  h_t &= o_t \times \mathrm{tanh}(c_t) \tag{5}
  \end{align}
}"""


@pytest.mark.parametrize("text", [ASCII, UNICODE, LATEX, ALIGNED], ids=["ascii", "unicode", "latex", "aligned"])
def test_one_cell(text: str):
    shipped = relatives.find("lstm")
    assert shipped is not None
    bare = replace(shipped, doc="", cites=(), claims=(), parameters=without_inits(shipped))
    assert cell_of(text) == bare


def without_inits(cell: Cell):
    return tuple(replace(info, init=None) for info in cell.parameters)


VARIANTS = {
    "lstm1": r"""
$$i_t = \sigma(U_i h_{t-1} + b_i) \quad (7)$$

$$f_t = \sigma(U_f h_{t-1} + b_f) \quad (8)$$

$$o_t = \sigma(U_o h_{t-1} + b_o) \quad (9)$$
""",
    "lstm2": r"""
$$i_t = \sigma(U_i h_{t-1}) \quad (10)$$

$$f_t = \sigma(U_f h_{t-1}) \quad (11)$$

$$o_t = \sigma(U_o h_{t-1}) \quad (12)$$
""",
    "lstm3": r"""
$$i_t = \sigma(b_i) \quad (13)$$

$$f_t = \sigma(b_f) \quad (14)$$

$$o_t = \sigma(b_o) \quad (15)$$
""",
}
"""As the paper's text prints them (Lu & Salem 2017)."""


@pytest.mark.parametrize("name", VARIANTS)
def test_the_papers_equations_are_the_shipped_cells(name: str):
    shipped = relatives.find(name)
    assert shipped is not None
    pasted = cell_of(f"cell {shipped.name} extends LSTM {{{VARIANTS[name]}}}")
    assert pasted == replace(shipped, doc="", cites=(), claims=(), relatives=())


def test_the_papers_count():
    claim = r"claim params = $$N = 4 \times (m \times n + n^2 + n) \quad (6)$$"
    assert cell_of(LATEX.removesuffix("}") + f"  {claim}\n}}").claims
