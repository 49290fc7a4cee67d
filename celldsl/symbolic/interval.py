"""Intervals of real numbers, open or closed at each end, and their arithmetic.

Ends are exact fractions, or infinite. Every operation gives an interval that holds all values; where both operands
may take their values independently it is the smallest one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

End = Fraction | float
"""A fraction, or `math.inf` with either sign."""

INFINITE = math.inf


@dataclass(frozen=True)
class Interval:
    """From low to high; an open end is not reached."""

    low: End = -INFINITE
    high: End = INFINITE
    low_open: bool = True
    high_open: bool = True

    @staticmethod
    def point(value: Fraction | int) -> Interval:
        return Interval(Fraction(value), Fraction(value), False, False)

    @property
    def finite(self) -> bool:
        return self.low != -INFINITE and self.high != INFINITE

    @property
    def positive(self) -> bool:
        return self.low > 0 or (self.low == 0 and self.low_open)

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Interval) -> Interval:
        return Interval(
            self.low + other.low,
            self.high + other.high,
            self.low_open or other.low_open,
            self.high_open or other.high_open,
        )

    def __mul__(self, other: Interval) -> Interval:
        corners = [
            _corner(a, b)
            for a in ((self.low, self.low_open), (self.high, self.high_open))
            for b in ((other.low, other.low_open), (other.high, other.high_open))
        ]
        low, high = min(value for value, _ in corners), max(value for value, _ in corners)
        low_open = all(is_open for value, is_open in corners if value == low)
        high_open = all(is_open for value, is_open in corners if value == high)
        return Interval(low, high, low_open, high_open)

    def __pow__(self, exponent: int) -> Interval:
        if exponent < 0:
            return (self**-exponent).inverse()
        if exponent == 0:
            return Interval.point(1)
        if exponent % 2 or self.low >= 0:
            return Interval(_raised(self.low, exponent), _raised(self.high, exponent), self.low_open, self.high_open)
        if self.high <= 0:
            return (-self) ** exponent
        far = max(Interval(-self.low, -self.low, self.low_open, self.low_open), self, key=_reach)
        return Interval(Fraction(0), _raised(far.high, exponent), False, far.high_open)

    def inverse(self) -> Interval:
        """1 / x; everything where x may be 0 or change its sign."""
        if self.positive:
            high: End = INFINITE if self.low == 0 else 1 / self.low
            low: End = Fraction(0) if self.high == INFINITE else 1 / self.high
            return Interval(low, high, self.high_open, self.low_open)
        if (-self).positive:
            return -(-self).inverse()
        return Interval()

    def hull(self, other: Interval) -> Interval:
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Interval(
            low,
            high,
            all(each.low_open for each in (self, other) if each.low == low),
            all(each.high_open for each in (self, other) if each.high == high),
        )

    def meet(self, other: Interval) -> Interval:
        """What lies in both; this one where they do not meet."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        low_open = any(each.low_open for each in (self, other) if each.low == low)
        high_open = any(each.high_open for each in (self, other) if each.high == high)
        if low > high or (low == high and (low_open or high_open)):
            return self
        return Interval(low, high, low_open, high_open)

    def within(self, other: Interval) -> bool:
        low = self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open))
        return low and (self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open)))

    def larger(self, other: Interval) -> Interval:
        """The interval of max(x, y)."""
        low, high = max(self.low, other.low), max(self.high, other.high)
        return Interval(
            low,
            high,
            any(each.low_open for each in (self, other) if each.low == low),
            all(each.high_open for each in (self, other) if each.high == high),
        )

    def __str__(self) -> str:
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"{left}{_text(self.low)}, {_text(self.high)}{right}"


def blend(at_low: Interval, at_high: Interval, weight: Interval) -> Interval:
    """Values of a function that is affine in a weight, from those it has at the weight's two ends. An end is
    reached where the weight reaches its own, or where both sides reach the same one."""
    if weight.low == weight.high:
        return at_low

    def reached(one: End, one_open: bool, other: End, other_open: bool, bound: End) -> bool:
        if one == other:
            both = not one_open and not other_open
            return both or (not weight.low_open and not one_open) or (not weight.high_open and not other_open)
        return not (one_open or weight.low_open) if one == bound else not (other_open or weight.high_open)

    low, high = min(at_low.low, at_high.low), max(at_low.high, at_high.high)
    return Interval(
        low,
        high,
        not reached(at_low.low, at_low.low_open, at_high.low, at_high.low_open, low),
        not reached(at_low.high, at_low.high_open, at_high.high, at_high.high_open, high),
    )


def _corner(one: tuple[End, bool], other: tuple[End, bool]) -> tuple[End, bool]:
    """The product of two ends; a zero that is reached makes a product that is."""
    (a, a_open), (b, b_open) = one, other
    if a == 0 or b == 0:
        reached = (a == 0 and not a_open) or (b == 0 and not b_open)
        return Fraction(0), not reached
    return a * b, a_open or b_open


def _raised(end: End, exponent: int) -> End:
    if end in (INFINITE, -INFINITE):
        return end if exponent % 2 or end > 0 else INFINITE
    return Fraction(end) ** exponent


def _reach(interval: Interval) -> tuple[End, bool]:
    return interval.high, not interval.high_open


def _text(end: End) -> str:
    if end in (INFINITE, -INFINITE):
        return "∞" if end > 0 else "-∞"
    value = Fraction(end)
    return str(value) if value.denominator < 1000 else f"{float(value):.6g}"
