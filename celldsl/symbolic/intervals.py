"""The interval of every signal of a cell, whatever its parameters and inputs.

Interval arithmetic over the normal forms, each signal once with others as names and once with all put in place, both
bounds taken. An expression that is affine in a bounded name, z * h + (1 - z) * g, is bounded by its values at the ends
of that name, so convex combinations stay where their parts are. States start at their first value and are iterated to
a fixed point; a bound that keeps growing is tried at the limit its growth suggests, and is infinite if that fails.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from celldsl.check.cell import Cell
from celldsl.functions import FUNCTIONS
from celldsl.symbolic import numeric
from celldsl.symbolic.interval import INFINITE, End, Interval, blend
from celldsl.symbolic.knots import Knot, Table
from celldsl.symbolic.normal import Normal
from celldsl.symbolic.polynomial import Monomial, Name, Polynomial, multiply

ROUNDS = 6
"""Plain iterations before growth is extrapolated."""
VERTICES = 6
"""Names whose two ends are tried, at most, in one expression."""


def intervals(cell: Cell) -> dict[str, Interval]:
    """signal -> an interval that holds its value at every step, settings at their defaults, from the cell's own
    first state."""
    return _FixedPoint(cell.evaluated).run()


@dataclass
class _FixedPoint:
    cell: Cell
    here: Normal = field(init=False)
    whole: Normal = field(init=False)

    def __post_init__(self) -> None:
        table = Table()
        self.here = Normal(self.cell, table, keep=frozenset(self.cell.equation))
        self.whole = Normal(self.cell, table)

    def run(self) -> dict[str, Interval]:
        states = [info.name for info in self.cell.states if info.role != "input"]
        nowhere = _Bounds(self.cell, self.here.table, {})
        first = {name: nowhere.of(self.here.initial(name) or Polynomial()) for name in states}
        past, history = dict(first), [dict(first)]
        for _ in range(ROUNDS):
            past = self.step(past)
            history.append(dict(past))
            if history[-1] == history[-2]:
                return self.signals(past)
        past = {name: _extrapolated([row[name] for row in history[-3:]]) for name in past}
        while True:
            after = self.step(past)
            grown = {name for name in past if after[name] != past[name]}
            if not grown:
                return self.signals(past)
            past = {name: _widened(past[name], after[name]) for name in past}

    def step(self, past: dict[str, Interval]) -> dict[str, Interval]:
        """What earlier values may be after one more step."""
        signals = self.signals(past)
        return {name: past[name].hull(signals[name]) for name in past}

    def signals(self, past: dict[str, Interval]) -> dict[str, Interval]:
        bounds = _Bounds(self.cell, self.here.table, past)
        for equation in self.cell.steps:
            name = equation.target
            near = bounds.of(self.here.of(name))
            bounds.now[name] = near.meet(bounds.of(self.whole.of(name)))
        inputs = {info.name: Interval() for info in self.cell.inputs}
        return {info.name: bounds.now.get(info.name, inputs.get(info.name, Interval())) for info in self.cell.signals}


def _extrapolated(rows: list[Interval]) -> Interval:
    """The last interval, with each growing bound at the limit of a geometric series through the last three."""

    def limit(a: End, b: End, c: End) -> End:
        if INFINITE in (abs(a), abs(b), abs(c)) or b == c:
            return c
        ratio = Fraction(c - b) / Fraction(b - a) if b != a else Fraction(2)
        return b + (c - b) / (1 - ratio) if 0 < ratio < 1 else (INFINITE if c > b else -INFINITE)

    one, two, three = rows
    low, high = limit(one.low, two.low, three.low), limit(one.high, two.high, three.high)
    return Interval(low, high, three.low_open or low != three.low, three.high_open or high != three.high)


def _widened(before: Interval, after: Interval) -> Interval:
    """A bound that grew again is given up; an end that came to be reached is only closed."""
    low, high = after.low < before.low, after.high > before.high
    return Interval(
        -INFINITE if low else after.low,
        INFINITE if high else after.high,
        low or after.low_open,
        high or after.high_open,
    )


@dataclass
class _Bounds:
    """Intervals of polynomials, given those of earlier values (`past`) and of signals at t (`now`)."""

    cell: Cell
    table: Table
    past: dict[str, Interval]
    now: dict[str, Interval] = field(default_factory=dict)
    memo: dict[Name, Interval] = field(default_factory=dict)
    weights: dict[Name, Interval] = field(default_factory=dict)

    def of(self, value: Polynomial, vertices: int = VERTICES) -> Interval:
        value = self.weighted(value)
        name = self.vertex(value) if vertices else None
        if name is not None:
            weight = self.name(name)
            low, high = (self.of(value.at(name, Fraction(end)), vertices - 1) for end in (weight.low, weight.high))
            return blend(low, high, weight)
        if len(value.names) == 1:
            (only,) = value.names
            if value.degree(only) == 2 and self.name(only).finite and min(e for f, _ in value.terms for _, e in f) > 0:
                return _parabola(value, only, self.name(only))
        total = Interval.point(0)
        for factors, coefficient in value.terms:
            product = Interval.point(coefficient)
            for each, exponent in factors:
                product = product * self.name(each) ** exponent
            total = total + product
        return total

    def vertex(self, value: Polynomial) -> Name | None:
        """The bounded name that most terms share, in which the value is affine."""
        count = Counter(name for factors, _ in value.terms for name, _ in factors)
        curved = {name for factors, _ in value.terms for name, exponent in factors if exponent != 1}
        shared = [n for n in count if count[n] > 1 and n not in curved and self.name(n).finite]
        return max(sorted(shared), key=lambda n: count[n], default=None)

    def weighted(self, value: Polynomial) -> Polynomial:
        """With quotients of positive parts as weights that add up to 1: f/(f + i) * h + i/(f + i) * g."""
        for name in sorted(value.names):
            knot = self.table.knot(name)
            if knot is not None and knot.function == "inverse":
                value = self.with_weights(value, name, knot.arguments[0])
        return value

    def with_weights(self, value: Polynomial, inverse: Name, divisor: Polynomial) -> Polynomial:
        parts = [Polynomial.monomial(factors, coefficient) for factors, coefficient in divisor.terms]
        if not all(self.of(part, 0).positive for part in parts):
            return value
        names = [Name("weight", f"{inverse.name}.{at}") for at in range(len(parts) - 1)]
        for name in names:
            self.weights[name] = Interval(Fraction(0), Fraction(1))
        last = Polynomial.number(1)
        for name in names:
            last = last - Polynomial.of(name)
        total = Polynomial()
        for factors, coefficient in value.terms:
            at = next((i for i, (part, _) in enumerate(divisor.terms) if _divides(part, factors, inverse)), None)
            if at is None:
                total = total + Polynomial.monomial(factors, coefficient)
                continue
            part, scale = divisor.terms[at]
            rest = multiply(factors, tuple((n, -e) for n, e in multiply(part, ((inverse, 1),))))
            weight = Polynomial.of(names[at]) if at < len(names) else last
            total = total + weight * Polynomial.monomial(rest, coefficient / scale)
        return total

    def name(self, name: Name) -> Interval:
        knot = self.table.knot(name)
        if knot is not None:
            if name not in self.memo:
                self.memo[name] = self.knot(knot)
            return self.memo[name]
        match name.kind:
            case "weight":
                return self.weights[name]
            case "dim":
                return Interval(Fraction(1), INFINITE, low_open=False)
            case "hyper":
                return Interval.point(self.cell.setting[name.name].value)
            case "signal" if name.delay:
                return self.past.get(name.name, Interval())
            case "signal":
                return self.now.get(name.name, Interval())
        return Interval()

    def knot(self, knot: Knot) -> Interval:
        if knot.word or knot.matrices:
            return Interval()
        arguments = [self.of(argument) for argument in knot.arguments]
        match knot.function:
            case "group":
                return arguments[0]
            case "inverse":
                return arguments[0].inverse()
            case "max":
                return arguments[0].larger(arguments[1])
            case "power":
                return _power(arguments[0], knot.arguments[1].value)
            case "abs":
                return arguments[0].larger(-arguments[0]).meet(Interval(Fraction(0), low_open=False))
            case "clamp":
                x, low, high = arguments
                return -(-x.larger(low)).larger(-high)
            case "sum":
                positive = arguments[0].low >= 0
                return Interval(Fraction(0), low_open=arguments[0].positive) if positive else Interval()
            case "slice" | "repeat":
                return arguments[0]
            case "concat":
                total = arguments[0]
                for other in arguments[1:]:
                    total = total.hull(other)
                return total
        return _applied(knot.function, arguments[0])


def _parabola(value: Polynomial, name: Name, x: Interval) -> Interval:
    """The values of a x^2 + b x + c: those at both ends, and at the turning point where it lies between."""
    parts = value.coefficients(name)
    a, b, c = ((parts[degree].value if degree in parts else Fraction(0)) or Fraction(0) for degree in (2, 1, 0))

    def at(point: Fraction, is_open: bool) -> Interval:
        height = a * point**2 + b * point + c
        return Interval(height, height, is_open, is_open)

    found = at(Fraction(x.low), x.low_open).hull(at(Fraction(x.high), x.high_open))
    turn = -b / (2 * a)
    return found.hull(at(turn, False)) if x.low < turn < x.high else found


def _divides(part: Monomial, factors: Monomial, inverse: Name) -> bool:
    powers = dict(factors)
    return powers.get(inverse) == 1 and all(powers.get(name, 0) >= exponent > 0 for name, exponent in part)


def _applied(function: str, x: Interval) -> Interval:
    """The values of a function: its row's range, and where it never falls, those between the ends."""
    row = FUNCTIONS.get(function)
    if row is None:
        return Interval()
    low, high, low_reached, high_reached = row.range
    whole = Interval(
        -INFINITE if low is None else Fraction(low),
        INFINITE if high is None else Fraction(high),
        not low_reached,
        not high_reached,
    )
    if not row.increasing or row.rule != "elementwise":
        return whole
    inner = Interval(_end(function, x.low, -1), _end(function, x.high, 1), x.low_open, x.high_open)
    return inner.meet(whole) if inner.low <= inner.high else whole


def _end(function: str, end: End, side: int) -> End:
    """The function's value at an end, rounded outward; infinite where the end is."""
    if abs(end) == INFINITE:
        return side * INFINITE
    try:
        value = numeric.POINTWISE[function](float(end))
    except (ValueError, OverflowError):
        return side * INFINITE
    if value != value or abs(value) == INFINITE:
        return side * INFINITE
    exact = end == 0  # sigmoid(0), tanh(0), … are numbers that doubles hold
    return Fraction(value) if exact else Fraction(value) + side * Fraction(max(1.0, abs(value))) / 10**12


def _power(base: Interval, exponent: Fraction | None) -> Interval:
    if base.low < 0:
        return Interval()
    positive = Interval(Fraction(0), low_open=base.positive)
    if exponent is None or exponent < 0 or not base.finite:
        return positive
    ends = [Fraction(float(end) ** float(exponent)) for end in (base.low, base.high)]
    margin = max(Fraction(1), ends[1]) / 10**12
    low = ends[0] if base.low in (0, 1) else ends[0] - margin
    high = ends[1] if base.high in (0, 1) else ends[1] + margin
    return Interval(low, high, base.low_open, base.high_open).meet(positive)
