"""Two cells under one set of names: which signal and parameter of the second cell is which of the first.

For cells that are not one: the renaming that leaves the fewest parts that differ. Expressions are laid side by side as
trees, terms and factors in any order; a parameter is bound where it first meets one of its shape. Signals are paired
by name and by likeness, then exchanged as long as less is left. An intermediate that only one cell names may be put in
its places, and a gate may be read as one minus itself (sigmoid(-a) = 1 - sigmoid(a), its parameters negated). The
search is bounded and may miss the best; that cells are one under other names is for `equality` to prove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Equation, Expr
from celldsl.check.width import SCALAR
from celldsl.source import NOWHERE

BUDGET = 20_000
"""Pairs of nodes that are laid side by side before the best alignment so far is taken."""
_LEAF = 100
_OTHER_NAME = 1
_OTHER_SIGNAL = 5
_OWN_EQUATION = -150  # a name of its own reads better than what it stands for, where nothing meets either
_PUT_IN_PLACE = 60
_LONGEST = 20 * _LEAF  # an intermediate of more is never put in its places
_NAMESAKES = 320  # two signals of one name that are not each other


@dataclass(frozen=True)
class Alignment:
    """Both cells, cut into equations alike, the second under the first's names.

    signals, parameters: the first cell's names -> the second's own; of those that are another's name here too (`b_c′`).
    negated: the first cell's gates that are one minus the second's; their parameters have the opposite sign there.
    """

    a: Cell
    b: Cell
    signals: Mapping[str, str]
    parameters: Mapping[str, str]
    negated: frozenset[str] = frozenset()
    opposite: frozenset[str] = frozenset()


def alignments(a: Cell, b: Cell) -> list[Alignment]:
    """The second cell under the names of the first, as they compute in evaluation: the best that was found first, then
    the same with intermediates that one cell alone has kept as names, or put in their places, the other way round."""
    return _Search(a.evaluated, b.evaluated).best()


# --- laying trees side by side -------------------------------------------------------------

_Bound = dict[str, str]


@dataclass
class _Layer:
    """signals: a's -> b's. left: what is left of the budget."""

    a: Cell
    b: Cell
    signals: Mapping[str, str]
    weight: _Weights
    loose: bool = False  # signals of other widths meet, and so do parameters
    left: int = BUDGET

    def cost(self, one: Expr, other: Expr, bound: _Bound, back: _Bound) -> tuple[int, _Bound]:
        """How much differs, and the parameters that are bound to each other by it."""
        self.left -= 1
        found = self._cost(one, other, bound, back)
        most = self.weight(one) + self.weight(other)
        return found if found is not None and found[0] < most else (most, {})

    def _cost(self, one: Expr, other: Expr, bound: _Bound, back: _Bound) -> tuple[int, _Bound] | None:
        if isinstance(one, checked.Add) or isinstance(other, checked.Add):
            return self.any_order(_terms(one), _terms(other), bound, back)
        if isinstance(one, checked.Mul) or isinstance(other, checked.Mul):
            return self.any_order(_factors(one), _factors(other), bound, back)
        if type(one) is not type(other):
            return None
        match one, other:
            case checked.Parameter(), checked.Parameter():
                if one.name in bound or other.name in back:
                    return (0, {}) if bound.get(one.name) == other.name else None
                if not self.meet(one, other) or (one.name in self.a.equation) != (other.name in self.b.equation):
                    return None
                return _OTHER_NAME * (one.name != other.name), {one.name: other.name}
            case checked.Signal(), checked.Signal():
                return (0, {}) if one.delay == other.delay and self.signals.get(one.name) == other.name else None
            case checked.Setting(), checked.Setting():
                return (0, {}) if one.name == other.name else None
            case checked.Num(), checked.Num():
                return (0, {}) if one.value == other.value else None
            case checked.Call(), checked.Call():
                if one.function != other.function:
                    return None
            case checked.Product(), checked.Product() if self.loose:
                if self.cost(one.right, other.right, bound, back)[0] and one.left.shape != other.left.shape:
                    return None
        if not one.children or not other.children:
            return (0, {}) if one == other else None
        if len(one.children) != len(other.children):
            return None
        total, made = 0, dict[str, str]()
        for mine, its in zip(one.children, other.children, strict=True):
            cost, new = self.cost(mine, its, {**bound, **made}, {**back, **{v: k for k, v in made.items()}})
            total += cost
            made |= new
        return total, made

    def meet(self, one: Expr, other: Expr) -> bool:
        return one.shape == other.shape or (self.loose and one.shape.rank == other.shape.rank > 0)

    def any_order(self, ours: list[Expr], theirs: list[Expr], bound: _Bound, back: _Bound) -> tuple[int, _Bound]:
        gains = []
        for i, one in enumerate(ours):
            for j, other in enumerate(theirs):
                gain = self.weight(one) + self.weight(other) - self.cost(one, other, bound, back)[0]
                if gain > 0:
                    gains.append((-gain, i, j))
        total = sum(map(self.weight, ours)) + sum(map(self.weight, theirs))
        bound, back, made = dict(bound), dict(back), dict[str, str]()
        done: tuple[set[int], set[int]] = (set(), set())
        for _, i, j in sorted(gains):
            if i in done[0] or j in done[1]:
                continue
            cost, new = self.cost(ours[i], theirs[j], bound, back)
            gain = self.weight(ours[i]) + self.weight(theirs[j]) - cost
            if gain > 0:
                total -= gain
                made |= new
                bound |= new
                back |= {v: k for k, v in new.items()}
                done[0].add(i)
                done[1].add(j)
        return total, made


@dataclass
class _Weights:
    """How much expressions are to read: their names, numbers and functions."""

    known: dict[int, tuple[Expr, int]] = field(
        default_factory=dict
    )  # holds the expressions, so that an id stays its own

    def __call__(self, expr: Expr) -> int:
        found = self.known.get(id(expr))
        if found is None:
            own = _LEAF if not expr.children or isinstance(expr, checked.Call) else 0
            found = self.known[id(expr)] = (expr, own + sum(self(child) for child in expr.children))
        return found[1]


def _terms(expr: Expr) -> list[Expr]:
    return [t for term in expr.terms for t in _terms(term)] if isinstance(expr, checked.Add) else [expr]


def _factors(expr: Expr) -> list[Expr]:
    return [*_factors(expr.left), *_factors(expr.right)] if isinstance(expr, checked.Mul) else [expr]


# --- the search ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _State:
    """signals: pairs of names, a's and b's; kept: intermediates of one cell alone that stay names (side, name);
    negated: b's gates."""

    signals: frozenset[tuple[str, str]]
    kept: frozenset[tuple[str, str]] = frozenset()
    negated: frozenset[str] = frozenset()


@dataclass
class _Search:
    a: Cell
    b: Cell
    seen: dict[_State, int] = field(default_factory=dict)
    bodies: dict[tuple[str, frozenset[str], frozenset[str]], dict[str, Expr]] = field(default_factory=dict)
    weight: _Weights = field(default_factory=_Weights)
    left: int = BUDGET

    def best(self) -> list[Alignment]:
        fixed = self._fixed()
        starts = [self._by_name(fixed), self._by_likeness(fixed)]
        ends = [self._improved(start, fixed) for start in dict.fromkeys(starts)]
        state = min(ends, key=lambda state: self.cost(state))
        alone = frozenset(self._alone(state))
        kept = [state.kept, *(state.kept ^ {each} for each in sorted(alone)[:3]), alone, frozenset()]
        return [self._alignment(replace(state, kept=each)) for each in dict.fromkeys(kept)]

    def _fixed(self) -> frozenset[tuple[str, str]]:
        """Output and inputs."""
        pairs = [(self.a.output, self.b.output)] if self._fit(self.a.output, self.b.output, role=False) else []
        free = [info.name for info in self.b.inputs]
        for by_name in (True, False):
            for info in self.a.inputs:
                if info.name in dict(pairs):
                    continue
                for name in free:
                    if (info.name == name or not by_name) and self._fit(info.name, name):
                        pairs.append((info.name, name))
                        free.remove(name)
                        break
        return frozenset(pairs)

    def _fit(self, one: str, other: str, role: bool = True) -> bool:
        mine, its = self.a.signal[one], self.b.signal[other]
        alike = mine.shape == its.shape or ((one == other or self.loose) and mine.shape.rank == its.shape.rank)
        return alike and (not role or mine.role == its.role)

    @cached_property
    def loose(self) -> bool:
        """Whether the two have an input or a state of one name and of two widths."""
        shared = [info for info in self.a.signals if info.role != "intermediate" and info.name in self.b.signal]
        return any(self.b.signal[info.name].shape != info.shape for info in shared)

    def _pairs(self, fixed: frozenset[tuple[str, str]]) -> list[tuple[str, str]]:
        ours = [e.target for e in self.a.steps if e.target not in dict(fixed)]
        used = {other for _, other in fixed}
        return [(i, j) for i in ours for j in (e.target for e in self.b.steps) if j not in used and self._fit(i, j)]

    def _by_name(self, fixed: frozenset[tuple[str, str]]) -> _State:
        return _State(fixed | {(one, other) for one, other in self._pairs(fixed) if one == other})

    def _by_likeness(self, fixed: frozenset[tuple[str, str]]) -> _State:
        """Signals paired by what their equations have in common, the names of others left aside."""
        pairs = self._pairs(fixed)
        carried = dict(fixed) | {i: j for i, j in pairs if self.a.signal[i].role == "state"}
        layer = _Layer(self.a, self.b, carried, self.weight, self.loose, self.left)
        ranked: list[tuple[int, bool, int, str, str]] = []
        for i, j in pairs:
            one, other = self.a.equation[i].value, self.b.equation[j].value
            gain = self.weight(one) + self.weight(other) - layer.cost(one, other, {}, {})[0]
            ranked.append((-gain, i != j, len(ranked), i, j))
        self.left = layer.left
        chosen = dict(fixed)
        for _, _, _, i, j in sorted(ranked):
            if i not in chosen and j not in chosen.values():
                chosen[i] = j
        return _State(frozenset(chosen.items()))

    def _improved(self, state: _State, fixed: frozenset[tuple[str, str]]) -> _State:
        going = True
        while going and self.left > 0:
            going = False
            for change in self._changes(state, fixed):
                if self.left <= 0:
                    break
                if self.cost(change) < self.cost(state):
                    state, going = change, True
                    break
        return state

    def _changes(self, state: _State, fixed: frozenset[tuple[str, str]]) -> Iterator[_State]:
        signals = state.signals
        for name in self._gates:
            yield replace(state, negated=state.negated ^ {name})
        for pair in sorted(signals - fixed):
            yield replace(state, signals=signals - {pair})
        for side, name in self._alone(state):
            yield replace(state, kept=state.kept ^ {(side, name)})
        for i, j in self._pairs(fixed):
            if (i, j) in signals:
                continue
            there = {pair for pair in signals if i == pair[0] or j == pair[1]}
            new = (signals - there) | {(i, j)}
            yield replace(state, signals=new)
            if j in self._gates:
                yield replace(state, signals=new, negated=state.negated ^ {j})
            if len(there) == 2:  # exchange
                (other_i,) = (one for one, _ in there if one != i)
                (other_j,) = (other for _, other in there if other != j)
                if self._fit(other_i, other_j):
                    yield replace(state, signals=new | {(other_i, other_j)})

    def _alone(self, state: _State) -> list[tuple[str, str]]:
        """The intermediates that only one cell has and that could be put in their places."""
        found = []
        for side, cell, used in (
            ("a", self.a, dict(state.signals).keys()),
            ("b", self.b, set(dict(state.signals).values())),
        ):
            for equation in cell.steps:
                info = cell.signal[equation.target]
                if (
                    info.name not in used
                    and info.role == "intermediate"
                    and not info.depth
                    and info.name != cell.output
                ):
                    found.append((side, info.name))
        return found

    @cached_property
    def _gates(self) -> list[str]:
        """b's gates σ(a) of which 1 - σ(a) is the same with parameters negated that stand nowhere else."""
        found = []
        reads: dict[str, int] = {}
        for equation in self.b.equations:
            for node in equation.value.walk():
                if isinstance(node, checked.Parameter):
                    reads[node.name] = reads.get(node.name, 0) + 1
        for equation in self.b.steps:
            value, info = equation.value, self.b.signal[equation.target]
            if not isinstance(value, checked.Call) or value.function not in ("sigmoid", "hard_sigmoid") or info.depth:
                continue
            inside = [
                [n.name for n in term.walk() if isinstance(n, checked.Parameter)] for term in _terms(value.arguments[0])
            ]
            linear = all(len(names) == 1 and reads[names[0]] == 1 and names[0] in self.b.parameter for names in inside)
            outside = all(
                not isinstance(n, checked.Pow | checked.Call | checked.Div)
                or not any(isinstance(m, checked.Parameter) for m in n.walk())
                for n in value.arguments[0].walk()
            )
            if linear and outside:
                found.append(info.name)
        return found

    # --- what a state leaves ---------------------------------------------------------------

    def body(self, side: str, state: _State) -> dict[str, Expr]:
        """The equations of one cell that a state keeps, intermediates put in their places."""
        cell = self.a if side == "a" else self.b
        inlined = frozenset(n for where, n in self._alone(state) if where == side and (where, n) not in state.kept)
        negated = state.negated if side == "b" else frozenset()
        if (side, inlined, negated) not in self.bodies:
            put: dict[str, Expr] = {}
            kept: dict[str, Expr] = {}

            def change(node: Expr) -> Expr | None:
                return put.get(node.name) if isinstance(node, checked.Signal) and not node.delay else None

            for equation in cell.steps:
                value = _complemented(equation.value, negated).transform(change)
                short = equation.target in inlined and self.weight(value) <= _LONGEST
                (put if short else kept)[equation.target] = value
            self.bodies[side, inlined, negated] = kept
        return self.bodies[side, inlined, negated]

    def cost(self, state: _State) -> int:
        if state not in self.seen:
            self.seen[state] = self._laid(state)[0]
        return self.seen[state]

    def _laid(self, state: _State) -> tuple[int, dict[str, str]]:
        """How much differs, and a's parameters -> b's."""
        signals = dict(state.signals)
        layer = _Layer(self.a, self.b, signals, self.weight, self.loose, self.left)
        ours, theirs = self.body("a", state), self.body("b", state)
        bound: dict[str, str] = {}
        total = _OTHER_SIGNAL * sum(i != j for i, j in signals.items()) + 2 * _OTHER_SIGNAL * len(state.negated)
        partners = set(signals.values())
        total += _NAMESAKES * sum(
            name in self.b.equation and signals.get(name) != name for name in (e.target for e in self.a.steps)
        )
        for target, value in ours.items():
            if target in signals:
                back = {v: k for k, v in bound.items()}
                cost, new = layer.cost(value, theirs[signals[target]], bound, back)
                total += cost
                bound |= new
            else:
                total += self.weight(value) + _OWN_EQUATION
        total += _PUT_IN_PLACE * (len(self.a.steps) - len(ours) + len(self.b.steps) - len(theirs))
        total += sum(self.weight(value) + _OWN_EQUATION for target, value in theirs.items() if target not in partners)
        for equation in self.a.derived:  # parameters made of others
            other = self.b.equation.get(bound.get(equation.target, ""))
            if other is not None:
                cost, new = layer.cost(equation.value, other.value, bound, {v: k for k, v in bound.items()})
                total += cost
                bound |= new
        self.left = layer.left
        return total, bound

    def _same(self, name: str, state: _State, parameters: Mapping[str, str]) -> bool:
        """Whether a name that both cells have, and that stands for no other, is of one kind in both."""
        if name in self.a.parameter and name in self.b.parameter:
            return name not in parameters and self.a.parameter[name].shape == self.b.parameter[name].shape
        gone = self.a.signal.keys() - self.body("a", state).keys()
        return name in gone and name in self.a.equation

    def _alignment(self, state: _State) -> Alignment:
        parameters = self._laid(state)[1]
        signals = dict(state.signals)
        taken = {*self.a.signal, *self.a.parameter, *self.a.equation, *self.a.setting}
        to: dict[str, str] = {}
        for own, other in (*signals.items(), *parameters.items()):
            to[other] = own
        for info in self.b.states:
            if info.name in to and info.initial == "learned" and f"{info.name}_0" in self.b.parameter:
                to[f"{info.name}_0"] = f"{to[info.name]}_0"
        for name in (*self.b.signal, *self.b.parameter, *(e.target for e in self.b.derived)):
            if name not in to:
                to[name] = name if name not in taken or self._same(name, state, parameters) else f"{name}′"
        opposite = frozenset(
            node.name
            for name in state.negated
            for node in self.b.equation[name].value.walk()
            if isinstance(node, checked.Parameter)
        )
        first = _cut(self.a, self.body("a", state), {})
        second = _cut(self.b, self.body("b", state), to)
        back = {name: own for own, name in to.items()}
        return Alignment(
            first,
            second,
            {name: back[name] for name in sorted(second.signal, key=_place(first.signal))},
            {name: back[name] for name in sorted(second.parameter, key=_place(first.parameter))},
            frozenset(to[name] for name in state.negated),
            frozenset(to[name] for name in opposite),
        )


def _place(names: Mapping[str, object]) -> Callable[[str], int]:
    """Where a name stands among these; behind them where it does not."""
    places = {name: at for at, name in enumerate(names)}
    return lambda name: places.get(name, len(places))


def _complemented(expr: Expr, gates: frozenset[str]) -> Expr:
    """With one minus it for each of these gates."""
    if not gates:
        return expr

    def gate(node: Expr) -> bool:
        return isinstance(node, checked.Signal) and not node.delay and node.name in gates

    def change(node: Expr) -> Expr | None:
        if isinstance(node, checked.Add) and len(node.terms) == 2:
            first, second = node.terms
            is_one = isinstance(first, checked.Num) and first.value == 1
            if is_one and isinstance(second, checked.Neg) and gate(second.operand):
                return second.operand
        if gate(node):
            return checked.Add(node.shape, terms=(checked.Num(SCALAR, "1"), checked.Neg(node.shape, operand=node)))
        return None

    return expr.transform(change)


def _cut(cell: Cell, body: Mapping[str, Expr], to: Mapping[str, str]) -> Cell:
    """The cell of these equations, under other names, without its author's words."""

    def anew(node: Expr) -> Expr:
        bare = replace(node, span=NOWHERE)
        if isinstance(bare, checked.Signal | checked.Parameter):
            return replace(bare, name=named(bare.name))
        return bare.rebuild(tuple(map(anew, bare.children))) if bare.children else bare

    def named(name: str) -> str:
        return to.get(name, name)

    def equation(each: Equation) -> Equation:
        value = each.value if each.timeless else body[each.target]
        return replace(each, target=named(each.target), value=anew(value), span=NOWHERE)

    kept = [each for each in cell.equations if each.timeless or each.target in body]
    gone = {each.target for each in cell.equations} - {each.target for each in kept}
    signals = tuple(
        replace(
            info, name=named(info.name), initial=anew(info.initial) if isinstance(info.initial, Expr) else info.initial
        )
        for info in cell.signals
        if info.name not in gone
    )
    return replace(
        cell,
        signals=signals,
        parameters=tuple(replace(info, name=named(info.name)) for info in cell.parameters),
        equations=tuple(map(equation, kept)),
        order=tuple(named(name) for name in cell.order if name not in gone),
        output=named(cell.output),
    )
