"""Random syntax trees: every kind of node, with names that are no keywords, functions or times."""

from __future__ import annotations

import inspect

from hypothesis import strategies as st

from celldsl.syntax import tree
from celldsl.syntax.keywords import FUNCTION_NAMES, KEYWORDS, QUANTITIES, STRUCTURES

# `e` is Euler's number before a power; `x` crosses two widths in a shape; `t` and `T` are the time and the transpose.
_TAKEN = {
    *FUNCTION_NAMES,
    *KEYWORDS,
    *QUANTITIES,
    *STRUCTURES,
    "e",
    "x",
    "t",
    "T",
    "cell",
    "extends",
    "scalar",
    "equals",
}
_TAKEN |= {"when", "and", "learned"}


def _among(words: str) -> st.SearchStrategy[str]:
    return st.sampled_from(words.split())


words = st.one_of(
    _among("a b c f h i o u z A B C U W M"),
    _among("alpha beta gamma Delta lambda xi pi eta omega sigmoidal pre cand eps W2 h0 mLSTM"),
    st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}", fullmatch=True),
).filter(lambda word: word not in _TAKEN)
marks = st.one_of(
    _among("tilde hat bar dot ddot prime i f xi hh in out alpha sigma 0 1 12 2a"),
    st.from_regex(r"[a-zA-Z][a-z0-9]{0,3}", fullmatch=True).filter(lambda word: word != "t"),
)
counted = _among("l-1 l+1 2l-1 L-l k+2j minus1 ell-1")
texts = st.builds(lambda word, rest: "_".join([word, *rest]), words, st.lists(marks, max_size=3)).filter(
    lambda text: text not in _TAKEN
)
counting = st.builds(lambda text, index: f"{text}_{index}", texts, counted)
parameters = st.builds(tree.Name, texts)
signals = st.builds(tree.Name, texts | counting, st.integers(0, 12))
names = st.one_of(parameters, signals)
numbers = st.builds(
    tree.Number, st.one_of(st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,4})?(e-?[0-9]{1,2})?", fullmatch=True), st.just("2"))
)
functions = st.sampled_from(sorted(set(FUNCTION_NAMES.values())))


def _grown(inner: st.SearchStrategy[tree.Expr]) -> st.SearchStrategy[tree.Expr]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        st.builds(tree.Juxtaposition, several),
        st.builds(tree.Binary, st.sampled_from("+-*/^@"), inner, inner),
        st.builds(tree.Negative, inner),
        st.builds(tree.Transposed, inner),
        st.builds(tree.Call, functions, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(tree.Call, texts, several),
        st.builds(tree.Stack, several),
        st.builds(tree.Slice, inner, numbers | parameters, numbers | parameters),
    )


expressions: st.SearchStrategy[tree.Expr] = st.recursive(st.one_of(names, numbers), _grown, max_leaves=12)
constants: st.SearchStrategy[tree.Expr] = st.recursive(st.one_of(parameters, numbers), _grown, max_leaves=6)

_plain = st.one_of(parameters, numbers)
bounds = st.one_of(_plain, st.builds(tree.Binary, st.sampled_from("+-*/"), parameters, _plain))

labels = st.one_of(
    st.none(), st.from_regex(r"[1-9][0-9]?[a-c]?", fullmatch=True), st.sampled_from(["A.3", "7'", "3.1", "S1"])
)
_prose = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)
docs = st.one_of(
    _prose, st.lists(_prose, max_size=4).map("\n".join), st.sampled_from(['a "quoted" word', "\\tilde{c}\\", '"""'])
).map(lambda text: inspect.cleandoc(inspect.cleandoc(text)))

equations = st.builds(tree.Equation, st.builds(tree.Name, texts, st.sampled_from([None, 0])), expressions, labels)
typed = st.lists(st.builds(tree.Typed, parameters, st.none() | constants), min_size=1, max_size=3).map(tuple)
shapes = st.lists(constants, max_size=3).map(tuple)
structures = st.builds(tree.Structure, st.sampled_from(sorted(STRUCTURES)), st.lists(constants, max_size=2).map(tuple))
patterns = st.one_of(texts, texts.map(lambda text: text + "_*"), texts.map(lambda text: "*_" + text), st.just("*"))
sizes = st.dictionaries(texts, st.integers(0, 10_000), max_size=3).map(lambda d: tuple(d.items()))
schemes = st.one_of(
    constants,
    parameters,
    st.builds(tree.Call, st.sampled_from(["uniform", "normal"]), st.lists(numbers, min_size=1).map(tuple)),
)
relations = st.sampled_from(["<", "<="])
conditions = st.builds(tree.Equation, st.builds(tree.Name, texts, st.just(0)), expressions)

single_items: st.SearchStrategy[tree.Item] = st.one_of(
    equations,
    st.builds(
        tree.Instance,
        st.lists(st.builds(tree.Name, texts, st.just(0)), min_size=2, max_size=3).map(tuple),
        st.builds(tree.Call, texts, st.lists(expressions, min_size=2, max_size=3).map(tuple)),
        labels,
    ),
    st.builds(tree.Docstring, docs),
    st.builds(tree.Cite, docs.map(lambda text: " ".join(text.split()))),
    st.builds(tree.Input, typed),
    st.builds(tree.State, typed),
    st.builds(tree.Output, parameters),
    st.builds(tree.Dim, parameters, st.none() | constants),
    st.builds(
        lambda name, shape, how, frozen: tree.Param(name, shape, how if shape else None, frozen),
        parameters,
        shapes,
        st.none() | structures,
        st.booleans(),
    ),
    st.builds(tree.Const, parameters, constants),
    st.builds(tree.Hyper, parameters, constants),
    st.builds(tree.Share, parameters, parameters),
    st.builds(tree.Init, patterns, schemes),
    st.builds(tree.Constrain, parameters, constants, st.none() | constants),
    st.builds(tree.Constrain, parameters, st.none(), constants),
    st.builds(tree.Drop, st.lists(parameters, min_size=1, max_size=3).map(tuple)),
    st.builds(tree.ClaimCount, st.sampled_from(sorted(QUANTITIES)), sizes, constants, labels),
    st.builds(tree.ClaimRange, constants, relations, names, relations, constants),
    st.builds(tree.ClaimRange, constants, relations, signals, st.just("<"), st.none()),
    st.builds(tree.ClaimRange, st.none(), st.just("<"), signals, relations, constants),
    st.builds(tree.ClaimEquals, texts, st.lists(conditions, max_size=2).map(tuple)),
)


items: st.SearchStrategy[tree.Item] = st.recursive(
    single_items,
    lambda inner: st.builds(
        tree.Repeat, parameters, bounds, st.none() | bounds, bounds, st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=4,
)


def _with_defs(name: str, parent: str | None, body: list[tree.Item], function: tree.Def | None) -> tree.CellDef:
    return tree.CellDef(name, parent, tuple(body) if function is None else (function, *body))


# A function that a `def` names is one everywhere in its file, so its name stands nowhere else.
definitions = st.builds(
    tree.Def,
    texts.map(lambda text: tree.Name("own_" + text)),
    st.lists(parameters, min_size=1, max_size=3).map(tuple),
    expressions,
)
cells = st.builds(_with_defs, texts, st.none() | texts, st.lists(single_items, max_size=6), st.none() | definitions)
files = st.builds(tree.File, st.lists(cells, min_size=1, max_size=3).map(tuple))
