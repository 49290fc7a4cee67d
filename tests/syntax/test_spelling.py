"""One thing in many spellings is one tree."""

from __future__ import annotations

import pytest

from celldsl.functions import ALIASES, FUNCTIONS
from celldsl.syntax import tree, write
from celldsl.syntax.spelling import GREEK, GREEK_NAMES
from celldsl.syntax.tree import Binary, Call, Juxtaposition, Name, Negative, Number, Stack, Transposed

from .reading import expression, item, items

a, b, x, h = Name("a", 0), Name("b", 0), Name("x", 0), Name("h", 1)
W = Name("W")

# Each row: a tree, and texts that are read as it.
ROWS: list[tuple[tree.Expr, str]] = [
    # times
    (Name("h", 0), r"h_t  h_{t}  h[t]  h^{t}  h^t  h^{(t)}  h^(t)  hₜ  \mathbf{h}_t  \mathbf{h_t}  {h_t}  h_{(t)}"),
    (h, r"h_{t-1}  h[t-1]  h^{t-1}  h^{(t-1)}  h^(t-1)  hₜ₋₁  h⁽ᵗ⁻¹⁾  h_{t−1}  \boldsymbol{h}_{t-1}"),
    (h, r"h_{t-1}\,  h_{\,t-1}  \mathbf{h_{t-1}}  \vec{h}_{t-1}  \left(h_{t-1}\right)"),
    (Name("x", 2), r"x_{t-2}  x[t-2]  xₜ₋₂  x^{(t-2)}"),
    (Name("c_i", 1), r"c_{i,t-1}  c_{t-1,i}  c_i[t-1]  c_{i}^{(t-1)}  c^{(i)}_{t-1}  c^{t-1}_{i}  c^{(i)}[t-1]"),
    # indices
    (Name("W_xi"), r"W_xi  W_{xi}  W^{(xi)}  W_{x\,i}  W_{\mathrm{x}i}  W_{\mathbf{xi}}  \mathbf{W}_{xi}  Wₓᵢ"),
    (Name("W_i"), r"W_i  W_{i}  W^{(i)}  Wᵢ  W⁽ⁱ⁾  \mathrm{W}_i  \mathcal{W}_i  𝐖_i  𝑾ᵢ"),
    (Name("W_x_i"), r"W_{x,i}  W_{x_i}  W_{x_{i}}  W_x^{(i)}"),
    (Name("W_1"), r"W_1  W_{1}  W₁  W^{(1)}"),
    (Name("W_in"), r"W_in  W_{in}  W_{\text{in}}  W_{\mathrm{in}}  W_\mathrm{in}"),
    (Name("eps"), r"eps  \mathrm{eps}  \text{eps}  \operatorname{eps}"),
    # accents
    (Name("c_tilde", 0), r"c~_t  c̃_t  c̃ₜ  \tilde{c}_t  \tilde c_t  \widetilde{c}_t  \tilde{\mathbf{c}}_t  c~[t]"),
    (Name("c_tilde", 0), r"\mathbf{\tilde{c}}_t  \tilde{c_t}  c_tilde_t  c_{tilde,t}"),
    (Name("h_hat", 1), r"ĥ_{t-1}  \hat{h}_{t-1}  \hat h_{t-1}  \widehat{h}_{t-1}  h_hat[t-1]"),
    (Name("h_bar", 0), r"h̄_t  \bar{h}_t  \overline{h}_t"),
    (Name("z_dot", 0), r"ż_t  \dot{z}_t"),
    (Name("W_c_tilde"), r"W_{\tilde{c}}  W_{\tilde c}  W_c̃  W_{c̃}  W_{c~}"),
    (Name("c_prime", 0), r"c'_t  c′_t  c^{\prime}_t  c'[t]"),
    (Name("c_prime_prime"), r"c''  c''"),
    # letters
    (Name("alpha"), r"alpha  α  \alpha  𝛼  {\alpha}"),
    (Name("epsilon"), r"epsilon  ε  ϵ  \epsilon  \varepsilon"),
    (Name("Delta"), r"Delta  Δ  \Delta"),
    (Name("sigma", 0), r"sigma_t  σ_t  \sigma_t  \boldsymbol{\sigma}_t"),
    (Name("ell", 0), r"ell_t  ℓ_t  \ell_t"),
    # products
    (Binary("*", a, b), r"a_t*b_t;a_t ⊙ b_t;a_t∘b_t;a_t \odot b_t;a_t \circ b_t;a_t × b_t;a_t \times b_t;a_t ∗ b_t"),
    (Juxtaposition((W, x)), r"W x_t;W \, x_t;W~x_t;W · x_t;W \cdot x_t"),
    (Juxtaposition((W, x)), r"\mathbf{W}\mathbf{x}_t;W\left(x_t\right);W(x_t);W{x_t};W\quad x_t;W \; x_t"),
    (Juxtaposition((Name("alpha"), x)), r"αx_t;α x_t;\alpha x_t"),
    (Binary("@", W, x), "W @ x_t;W@x_t"),
    (Binary("/", a, b), r"a_t / b_t;a_t/b_t;\frac{a_t}{b_t};\dfrac{a_t}{b_t};\tfrac{a_t}{b_t}"),
    (Juxtaposition((Binary("/", Number("1"), Number("2")), h)), r"1/2 h_{t-1};\frac{1}{2} h_{t-1};(1/2) h_{t-1}"),
    (Juxtaposition((Number("2"), x)), r"2 x_t;2x_t;2 · x_t;2 \cdot x_t"),
    (Juxtaposition((Binary("-", Number("1"), a), h)), r"(1 - a_t) h_{t-1};\left(1-a_t\right)h_{t-1};(1−a_t)h_{t-1}"),
    # powers and transposes
    (Binary("^", x, Number("2")), r"x_t^2  x_t²  x_t**2  x_{t}^{2}  x^2_t  x^{2}_{t}  {x_t}^2"),
    (Binary("^", Name("n"), Negative(Number("1"))), r"n^-1  n^{-1}  n**-1  n⁻¹"),
    (Transposed(Name("A")), r"A^T  Aᵀ  A^{T}  A^\top  A^{\top}  A^\mathsf{T}  A^{\mathsf{T}}  A^⊤  A^{\intercal}"),
    (Transposed(Name("A_i")), r"A_i^T  A^T_i  A_{i}^{\top}  Aᵢᵀ"),
    # functions
    (Call("sigmoid", (x,)), r"σ(x_t);\sigma(x_t);sigmoid(x_t);sigma(x_t);logistic(x_t);\sigma\left( x_t \right)"),
    (Call("sigmoid", (x,)), r"\sigma\big(x_t\big);\mathrm{sigmoid}(x_t);σ{x_t};\operatorname{sigmoid}(x_t);σ (x_t)"),
    (Call("tanh", (x,)), r"tanh(x_t);\tanh(x_t);\tanh{x_t};\tanh\{x_t\};\tanh\!\left(x_t\right);th(x_t)"),
    (Call("max", (a, b)), r"max(a_t, b_t);\max(a_t, b_t);\max\{a_t, b_t\};\operatorname{max}\left(a_t, b_t\right)"),
    (Call("sqrt", (Name("n"),)), r"sqrt(n);\sqrt{n};\operatorname{sqrt}(n)"),
    (Call("hard_sigmoid", (x,)), r"hard_sigmoid(x_t);\operatorname{hard\_sigmoid}(x_t);\text{hard_sigmoid}(x_t)"),
    # stacks
    (
        Stack((h, x)),
        r"[h_{t-1}; x_t];[h_{t-1}, x_t];\left[h_{t-1}, x_t\right];\begin{bmatrix}h_{t-1}\\x_t\end{bmatrix}",
    ),
    (Stack((h, x)), r"\begin{pmatrix} h_{t-1} \\[2pt] x_t \\ \end{pmatrix};\lbrack h_{t-1}, x_t \rbrack"),
    (Juxtaposition((W, Stack((h, x)))), r"W [h_{t-1}; x_t];W[h_{t-1}; x_t];W\left[h_{t-1}; x_t\right]"),
    (x, "[x_t];(x_t);{x_t};[(x_t)];x_t.;x_t,"),
]


def spellings() -> list[tuple[tree.Expr, str]]:
    pairs = []
    for row, texts in ROWS:
        split = texts.split("  ") if "  " in texts else split_outside_brackets(texts)
        pairs += [(row, text) for text in split]
    return pairs


def split_outside_brackets(texts: str) -> list[str]:
    """The texts between semicolons that stand in no square bracket."""
    parts, depth = [""], 0
    for char in texts.replace(r"\;", "\0"):
        depth += (char == "[") - (char == "]")
        if char == ";" and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.replace("\0", r"\;") for part in parts]


@pytest.mark.parametrize(("node", "text"), spellings(), ids=lambda each: each if isinstance(each, str) else "")
def test_spelling(node: tree.Expr, text: str) -> None:
    assert expression(text) == node


@pytest.mark.parametrize("letter", sorted(GREEK_NAMES))
def test_greek_letters(letter: str) -> None:
    name = GREEK_NAMES[letter]
    assert expression(f"{letter}_t + 1") == expression(f"{name}_t + 1") == expression(f"\\{name}_t + 1")


def test_every_greek_letter_is_written_in_every_style() -> None:
    for name, letter in GREEK.items():
        assert write(Name(name), "unicode") == letter
        assert write(Name(name), "latex") == f"\\{name}"
        assert write(Name(name), "ascii") == name


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_in_every_spelling(name: str) -> None:
    row = FUNCTIONS[name]
    arguments = ", ".join(["x_t", "0", "1"][: row.arity[0]])
    spellings = [
        name,
        row.spelling,
        row.latex,
        row.latex.replace("_", r"\_"),
        rf"\mathrm{{{name}}}",
        rf"\text{{{name}}}",
    ]
    spellings += [alias for alias, function in ALIASES.items() if function == name]
    expected = Call(name, (x, Number("0"), Number("1"))[: row.arity[0]])
    for spelling in spellings:
        assert expression(f"{spelling}({arguments})") == expected, spelling
        assert expression(rf"{spelling}\left({arguments}\right)") == expected, spelling


def test_products_bind_as_papers_mean_them() -> None:
    f, c = Name("f", 0), Name("c", 1)
    assert expression("f_t * c_{t-1} + a_t") == Binary("+", Binary("*", f, c), a)
    assert expression("f_t * W x_t") == Binary("*", f, Juxtaposition((W, x)))
    assert expression("-a_t * b_t") == Negative(Binary("*", a, b))
    assert expression("-a_t + b_t") == Binary("+", Negative(a), b)
    assert expression("a_t - b_t - x_t") == Binary("-", Binary("-", a, b), x)
    assert expression("a_t / b_t * x_t") == Binary("*", Binary("/", a, b), x)
    assert expression("x_t / 2 / 3") == Binary("/", Binary("/", x, Number("2")), Number("3"))
    assert expression("2 x_t^2") == Juxtaposition((Number("2"), Binary("^", x, Number("2"))))
    assert expression("W A^T x_t") == Juxtaposition((W, Transposed(Name("A")), x))
    assert expression("W (a_t * b_t)") == Juxtaposition((W, Binary("*", a, b)))
    assert expression("1/2^3") == Binary("/", Number("1"), Binary("^", Number("2"), Number("3")))


def test_juxtaposition_is_one_flat_row_but_for_brackets() -> None:
    assert expression("3 m n") == Juxtaposition((Number("3"), Name("m"), Name("n")))
    assert expression("A (W x_t)") == Juxtaposition((Name("A"), Juxtaposition((W, x))))
    assert expression("U f(a_t, b_t)") == Juxtaposition((Name("U"), Call("f", (a, b))))


def test_several_arguments_are_a_call_and_one_is_a_product() -> None:
    assert expression("foo(a_t, b_t)") == Call("foo", (a, b))
    assert expression("foo(a_t)") == Juxtaposition((Name("foo"), a))
    assert items("def foo(v) = v\ny_t = foo(a_t)")[1].value == Call("foo", (a,))


def test_declared_names_are_no_functions() -> None:
    assert items("param norm: n×n\ny_t = norm (a_t)")[1].value == Juxtaposition((Name("norm"), a))
    assert items("sum = W + 1\ny_t = sum (a_t)")[1].value == Juxtaposition((Name("sum"), a))


def test_keywords_are_names_behind_the_first_word() -> None:
    assert item("y_t = dim x_t + state") == item("y_t = (dim x_t) + (state)")
    assert item("state_t = x_t") == tree.Equation(Name("state", 0), x)
    assert item("init = x_t") == tree.Equation(Name("init"), x)
    assert item("param dim: n") == tree.Param(Name("dim"), (Name("n"),))


def test_the_spans_are_the_authors_own() -> None:
    (equation,) = items(r"  h_t = tanh(W x_t + \frac{a_t}{2}) ⊙ h̃_{t-1}  (7)")
    assert isinstance(equation, tree.Equation)
    assert equation.span.text == r"h_t = tanh(W x_t + \frac{a_t}{2}) ⊙ h̃_{t-1}  (7)"
    product = equation.value
    assert isinstance(product, Binary)
    assert isinstance(product.left, Call)
    assert product.span.text == r"tanh(W x_t + \frac{a_t}{2}) ⊙ h̃_{t-1}"
    assert product.left.span.text == r"tanh(W x_t + \frac{a_t}{2})"
    assert product.left.function_span.text == "tanh"
    (total,) = product.left.arguments
    assert isinstance(total, Binary)
    assert (total.left.span.text, total.right.span.text) == ("W x_t", r"\frac{a_t}{2}")
    assert product.right.span.text == "h̃_{t-1}"
    bracketed = expression("M (a_t ⊙ b_t)")
    assert bracketed.span.text == "M (a_t ⊙ b_t)"
    assert isinstance(bracketed, Juxtaposition)
    assert bracketed.factors[1].span.text == "(a_t ⊙ b_t)"
