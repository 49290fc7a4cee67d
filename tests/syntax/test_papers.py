"""Equations as papers print them: pasted in, they are the cell that is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from celldsl.source import Source
from celldsl.syntax import parse, tree

from .reading import item, items

SPECS = Path(__file__).parents[2] / "specs"

# Lu & Salem 2017, arXiv:1701.03441, as in its text.
LU_SALEM = r"""
$$i_t = \sigma(U_i h_{t-1} + W_i x_t + b_i) \quad (1)$$
$$f_t = \sigma(U_f h_{t-1} + W_f x_t + b_f) \quad (2)$$
$$o_t = \sigma(U_o h_{t-1} + W_o x_t + b_o) \quad (3)$$
$$c_t = f_t * c_{t-1} + i_t * \tanh(U_c h_{t-1} + W_c x_t + b_c) \quad (4)$$
$$h_t = o_t * \tanh(c_t) \quad (5)$$
$$N = 4 \times (m \times n + n^2 + n) \quad (6)$$
$$i_t = \sigma(U_i h_{t-1} + b_i) \quad (7)$$
$$f_t = \sigma(U_f h_{t-1} + b_f) \quad (8)$$
$$o_t = \sigma(U_o h_{t-1} + b_o) \quad (9)$$
$$i_t = \sigma(U_i h_{t-1}) \quad (10)$$
$$f_t = \sigma(U_f h_{t-1}) \quad (11)$$
$$o_t = \sigma(U_o h_{t-1}) \quad (12)$$
$$i_t = \sigma(b_i) \quad (13)$$
$$f_t = \sigma(b_f) \quad (14)$$
$$o_t = \sigma(b_o) \quad (15)$$
""".strip().splitlines()


def equations(items: tuple[tree.Item, ...]) -> list[tree.Equation]:
    return [each for each in items if isinstance(each, tree.Equation)]


@pytest.mark.parametrize(
    ("spec", "first", "last"), [("lstm", 1, 5), ("lstm1", 7, 9), ("lstm2", 10, 12), ("lstm3", 13, 15)]
)
@pytest.mark.parametrize("between", ["\n", "\n\n", " ", "\r\n"])
def test_pasted_equations_are_the_shipped_cells(spec: str, first: int, last: int, between: str) -> None:
    pasted = items(between.join(LU_SALEM[first - 1 : last]))
    shipped = parse(Source((SPECS / f"{spec}.cell").read_text(encoding="utf-8"))).cells[0]
    assert list(pasted) == equations(shipped.items)
    assert [each.label for each in equations(pasted)] == [str(number) for number in range(first, last + 1)]


@pytest.mark.parametrize(
    "count",
    [
        LU_SALEM[5],
        r"4 \times (m \times n + n^2 + n) \quad (6)",
        r"$4 \times (m \times n + n^2 + n)$ (6)",
        "4 * (m * n + n^2 + n)    (6)",
        "N = 4 × (m × n + n² + n) (6)",
    ],
)
def test_the_count_in_both_forms(count: str) -> None:
    m, n = tree.Name("m"), tree.Name("n")
    total = tree.Binary("+", tree.Binary("+", tree.Binary("*", m, n), tree.Binary("^", n, tree.Number("2"))), n)
    expected = tree.ClaimCount("params", (), tree.Binary("*", tree.Number("4"), total), "6")
    assert item(f"claim params = {count}") == expected


GRU = items(
    """
    r_t = σ(W_r x_t + U_r h_{t-1} + b_r)          (5)
    z_t = σ(W_z x_t + U_z h_{t-1} + b_z)          (6)
    h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ h̃_t         (7)
    h̃_t = tanh(W_h x_t + U_h (r_t ⊙ h_{t-1}) + b_h)    (8)
    """
)
SPELLINGS = {
    "ascii": """
        r[t] = sigmoid(W_r x[t] + U_r h[t-1] + b_r) (5)
        z[t] = sigmoid(W_z x[t] + U_z h[t-1] + b_z) (6)
        h[t] = z[t] * h[t-1] + (1 - z[t]) * h~[t] (7)
        h~[t] = tanh(W_h x[t] + U_h (r[t] * h[t-1]) + b_h) (8)
    """,
    "small letters": """
        rₜ = σ(Wᵣ xₜ + Uᵣ hₜ₋₁ + bᵣ) (5); z_t = σ(W_z xₜ + U_z hₜ₋₁ + b_z) (6)
        hₜ = z_t ∘ hₜ₋₁ + (1 − z_t) ∘ h̃ₜ (7)
        h̃ₜ = tanh(Wₕ xₜ + Uₕ (rₜ ∘ hₜ₋₁) + bₕ) (8)
    """,
    "align": r"""
        \begin{align}
          r_t &= \sigma\left(W_r x_t + U_r h_{t-1} + b_r\right), \tag{5} \\
          z_t &= \sigma\left(W_z x_t + U_z h_{t-1} + b_z\right), \tag{6} \label{eq:z} \\
          h_t &= z_t \odot h_{t-1} \nonumber \\
              &\quad + (1 - z_t) \odot \tilde{h}_t, \tag{7} \\[4pt]
          \tilde{h}_t &= \tanh\big(W_h x_t + U_h (r_t \odot h_{t-1}) + b_h\big). \tag{8}
        \end{align}
    """,
    "bold": r"""
        $$\mathbf{r}_t = \sigma(\mathbf{W}_r \mathbf{x}_t + \mathbf{U}_r \mathbf{h}_{t-1} + \mathbf{b}_r) \qquad (5)$$
        $$\mathbf{z}^{(t)} = \sigma(\mathbf{W}_{z} \mathbf{x}^{(t)} + \mathbf{U}^{(z)} \mathbf{h}^{(t-1)} + b_z), (6)$$
        \[ \boldsymbol{h}_t = \mathbf{z}_t \circ \mathbf{h}_{t-1} + (1-\mathbf{z}_t) \circ \mathbf{\tilde h}_t \; (7) \]
        \( \tilde{\mathbf{h}}_t = \mathrm{tanh}(\mathbf{W_h x_t} + \mathbf{U}_h (\mathbf{r}_t \circ \mathbf{h}_{t-1})
          + \mathbf{b}_h ) (8) \)
    """,
    "wrapped lines": """
        r_t = σ(W_r x_t
                + U_r h_{t-1} +
                b_r) (5)
        z_t
          = σ(
              W_z x_t + U_z h_{t-1} + b_z
          ) (6)                   # a comment
        h_t = z_t ⊙ h_{t-1}
            + (1 - z_t)
            ⊙ h̃_t (7)
        h̃_t = tanh(W_h x_t + U_h (r_t ⊙ h_{t-1}) + b_h) (8)  % another
    """,
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_one_cell_in_every_spelling(name: str) -> None:
    assert items(SPELLINGS[name]) == GRU
