"""Every kind of item, in the forms that the language promises."""

from __future__ import annotations

import pytest

from celldsl.source import Source
from celldsl.syntax import parse, tree, write
from celldsl.syntax.tree import Binary, Call, Juxtaposition, Name, Negative, Number, Typed

from .reading import item, items

m, n, x, h, c = Name("m"), Name("n"), Name("x"), Name("h"), Name("c")


def test_heads() -> None:
    one, two = parse(Source("cell A { }\n\ncell B_1 extends A { }")).cells
    assert (one.name, one.parent, one.items) == ("A", None, ())
    assert (two.name, two.parent) == ("B_1", "A")
    assert (two.name_span.text, two.parent_span.text) == ("B_1", "A")
    assert two.span.text == "cell B_1 extends A { }"


def test_brace_on_the_next_line() -> None:
    (cell,) = parse(Source("cell A extends B\n{\n  h_t = x_t\n}")).cells
    assert (cell.name, cell.parent, len(cell.items)) == ("A", "B", 1)


def test_one_line_cell() -> None:
    (cell,) = parse(Source("cell LSTM1 extends LSTM { drop W_i, W_f, W_o }")).cells
    assert cell.items == (tree.Drop((Name("W_i"), Name("W_f"), Name("W_o"))),)


ITEMS = [
    ("input x: m", tree.Input((Typed(x, m),))),
    ("input x", tree.Input((Typed(x),))),
    ("input x_t: m, s", tree.Input((Typed(x, m), Typed(Name("s"))))),
    ("state h: n, c: p", tree.State((Typed(h, n), Typed(c, Name("p"))))),
    ("state c: 2 n", tree.State((Typed(c, Juxtaposition((Number("2"), n))),))),
    ("output h", tree.Output(h)),
    ("output h_t", tree.Output(h)),
    ("dim r = n / 4", tree.Dim(Name("r"), Binary("/", n, Number("4")))),
    ("dim k", tree.Dim(Name("k"))),
    ("param p_i: n", tree.Param(Name("p_i"), (n,))),
    ("param F: k×m", tree.Param(Name("F"), (Name("k"), m))),
    ("param F: k x m", tree.Param(Name("F"), (Name("k"), m))),
    (r"param F: k \times m", tree.Param(Name("F"), (Name("k"), m))),
    ("param F: (n + m)×n/2", tree.Param(Name("F"), (Binary("+", n, m), Binary("/", n, Number("2"))))),
    ("param R: n×n blocks(heads)", tree.Param(Name("R"), (n, n), tree.Structure("blocks", (Name("heads"),)))),
    ("param W: n×n diagonal", tree.Param(Name("W"), (n, n), tree.Structure("diagonal"))),
    ("param W: n×m lowrank(r)", tree.Param(Name("W"), (n, m), tree.Structure("lowrank", (Name("r"),)))),
    ("param alpha: scalar", tree.Param(Name("alpha"), ())),
    ("param α: scalar", tree.Param(Name("alpha"), ())),
    ("const eps = 1e-5", tree.Const(Name("eps"), Number("1e-5"))),
    ("hyper k = 4", tree.Hyper(Name("k"), Number("4"))),
    ("hyper alpha = -.5", tree.Hyper(Name("alpha"), Negative(Number("0.5")))),
    ("share U_i = U_f", tree.Share(Name("U_i"), Name("U_f"))),
    ("init b_f = 1", tree.Init("b_f", Number("1"))),
    ("init U_* = orthogonal", tree.Init("U_*", Name("orthogonal"))),
    ("init U_{*} = orthogonal", tree.Init("U_*", Name("orthogonal"))),
    ("init W_x* = uniform(-0.1, 0.1)", tree.Init("W_x*", Call("uniform", (Negative(Number("0.1")), Number("0.1"))))),
    ("init *_f = normal(0.02)", tree.Init("*_f", Call("normal", (Number("0.02"),)))),
    ("init * = zeros", tree.Init("*", Name("zeros"))),
    ("init h_0 = learned", tree.Init("h_0", Name("learned"))),
    ("drop W_i, b_i", tree.Drop((Name("W_i"), Name("b_i")))),
    ('cite "Elman 1990"', tree.Cite("Elman 1990")),
    ('"""One line."""', tree.Docstring("One line.")),
    ('"One line."', tree.Docstring("One line.")),
    ("claim params = n^2", tree.ClaimCount("params", (), Binary("^", n, Number("2")))),
    ("claim flops = 2 n  (3a)", tree.ClaimCount("flops", (), Juxtaposition((Number("2"), n)), "3a")),
    ("claim state(n=5) = 10", tree.ClaimCount("state", (("n", 5),), Number("10"))),
    ("claim params(m=28,\n n=50) = 15800", tree.ClaimCount("params", (("m", 28), ("n", 50)), Number("15800"))),
    ("claim params = params(LSTM)", tree.ClaimCount("params", (), Call("params", (Name("LSTM"),)))),
    ("claim 0 < i_t < 1", tree.ClaimRange(Number("0"), "<", Name("i", 0), "<", Number("1"))),
    ("claim 1 > i_t > 0", tree.ClaimRange(Number("0"), "<", Name("i", 0), "<", Number("1"))),
    ("claim -1 <= h_t ≤ 1", tree.ClaimRange(Negative(Number("1")), "<=", Name("h", 0), "<=", Number("1"))),
    (r"claim 0 \le i_t \lt 1", tree.ClaimRange(Number("0"), "<=", Name("i", 0), "<", Number("1"))),
    ("claim equals LSTM", tree.ClaimEquals("LSTM")),
    (
        "claim equals LSTM when z_t = o_{t-1}",
        tree.ClaimEquals("LSTM", (tree.Equation(Name("z", 0), Name("o", 1)),)),
    ),
    (
        "claim equals GRU when z_t = o_{t-1} and r_t = 1",
        tree.ClaimEquals("GRU", (tree.Equation(Name("z", 0), Name("o", 1)), tree.Equation(Name("r", 0), Number("1")))),
    ),
    ("h_t = x_t  (7)", tree.Equation(Name("h", 0), Name("x", 0), "7")),
    (r"h_t = x_t \tag{A.3}", tree.Equation(Name("h", 0), Name("x", 0), "A.3")),
    ("h_t = log(2)", tree.Equation(Name("h", 0), Call("log", (Number("2"),)))),
    ("h_t := x_t", tree.Equation(Name("h", 0), Name("x", 0))),
]


@pytest.mark.parametrize(("text", "node"), ITEMS, ids=[text for text, _ in ITEMS])
def test_item(text: str, node: tree.Item) -> None:
    assert item(text) == node


def test_def() -> None:
    v, b = Name("v"), Name("b")
    assert item("def swish_b(v, b) = v * sigmoid(b * v)") == tree.Def(
        Name("swish_b"), (v, b), Binary("*", v, Call("sigmoid", (Binary("*", b, v),)))
    )


def test_several_names_in_one_declaration() -> None:
    assert items("param p_i, p_f: n") == (tree.Param(Name("p_i"), (n,)), tree.Param(Name("p_f"), (n,)))
    assert items("dim p, q") == (tree.Dim(Name("p")), tree.Dim(Name("q")))
    assert items("init U_i, W_* = zeros") == (tree.Init("U_i", Name("zeros")), tree.Init("W_*", Name("zeros")))


def test_declarations_in_columns() -> None:
    """As the language's own page prints them: side by side, with a gap between."""
    columns = items(
        """
        input x: m            state h: n, c: p       output h         dim r = n / 4
        param p_i: n          param R: n×n blocks(heads)    param W: n×n diagonal
        param alpha: scalar   share U_i = U_f        init b_f = 1     init U_* = orthogonal    init h_0 = learned
        """
    )
    kinds = "Input State Output Dim Param Param Param Param Share Init Init Init"
    assert " ".join(type(each).__name__ for each in columns) == kinds


def test_docstrings_lose_their_indentation() -> None:
    doc = item('"""First line.\n\n     Second paragraph,\n       indented.\n     """')
    assert doc == tree.Docstring("First line.\n\nSecond paragraph,\n  indented.")
    assert item(r'"""A \"""quoted\""" word, \tilde{c} and \\."""') == tree.Docstring(
        r'A """quoted""" word, \tilde{c} and \.'
    )


def test_comments_are_passed_over_but_not_in_texts() -> None:
    found = items('h_t = x_t # a comment\n% another\ncite "100 % of it # all"  # and one more')
    assert found == (tree.Equation(Name("h", 0), Name("x", 0)), tree.Cite("100 % of it # all"))


def test_a_label_may_follow_what_ends_the_formula() -> None:
    for text in ["$$h_t = x_t$$ (7)", "$h_t = x_t$, (7)", "h_t = x_t, (7).", r"h_t = x_t . \quad (7)"]:
        assert item(text) == tree.Equation(Name("h", 0), Name("x", 0), "7"), text


def test_where_statements_end() -> None:
    one = tree.Equation(Name("h", 0), Binary("+", Name("a", 0), Name("b", 0)))
    for text in [
        "h_t = a_t + b_t",
        "h_t = a_t\n + b_t",
        "h_t = a_t +\n b_t",
        "h_t\n = a_t\n\n + b_t",
        "h_t = (a_t\n + b_t)",
        "h_t = a_t # first\n  # then\n + b_t",
        "h_t &= a_t \\\\\n & + b_t",
        "$$\nh_t = a_t\n + b_t\n$$",
        "h_t = a_t + b_t;",
    ]:
        assert items(text) == (one,), text
    two = (one, tree.Equation(Name("c", 0), Name("h", 0)))
    for text in [
        "h_t = a_t + b_t\nc_t = h_t",
        "h_t = a_t + b_t; c_t = h_t",
        "h_t = a_t + b_t \\\\ c_t = h_t",
        "$$h_t = a_t + b_t$$ $$c_t = h_t$$",
        "$$h_t = a_t + b_t$$$$c_t = h_t$$",
        "\\begin{align} h_t &= a_t + b_t \\\\ c_t &= h_t \\end{align}",
        "\\begin{equation}h_t = a_t + b_t\\end{equation}\\begin{equation}c_t = h_t\\end{equation}",
        "\\[h_t = a_t + b_t\\]\n\\[c_t = h_t\\]",
    ]:
        assert items(text) == two, text


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("  ", "\t"),
        lambda text: text.replace(" ", "\u00a0"),
        lambda text: text.replace(" ", "\u2009"),
        lambda text: text + "\n\n# the end",
        lambda text: text.replace("\n", "\n\n"),
    ],
    ids=["CRLF", "BOM", "tabs", "hard blanks", "thin blanks", "comment behind", "empty lines"],
)
def test_white_space_says_nothing(change) -> None:
    text = 'cell C {\n  "Cell."\n  h_t = tanh(W x_t\n    + U h_{t-1})  (1)\n  claim params = m n + n^2\n}'
    assert parse(Source(change(text))) == parse(Source(text))


def test_braces_in_the_bounds_of_rounds_open_no_body():
    text = r"cell A { repeat l = 1, \frac{L}{2} \ldots L^{10} { s_{l,t} = b_l } }"
    (rounds,) = parse(Source(text)).cells[0].items
    assert isinstance(rounds, tree.Repeat)
    assert [type(bound) for bound in (rounds.second, rounds.last)] == [tree.Binary, tree.Binary]
    assert len(rounds.items) == 1


@pytest.mark.parametrize("first", ["0.0", "1e5", "2"])
def test_bounds_of_rounds_are_written_as_they_are_read(first):
    tree_of = parse(Source(f"cell A {{ repeat l = {first} .. L {{ s_{{l,t}} = b_l }} }}"))
    assert parse(Source(write(tree_of))) == tree_of
