"""Axis ranges that stand still while a run grows, and the map from values to the share of an axis.

A range moves only when a value falls outside it, then with head-room and to round numbers, so that most points repaint
only their own cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

HEAD_ROOM = 0.15
GROWTH = 0.25
"""Room that an axis without a planned end has for what comes, as a share of its span."""
TIGHTEST = 1e-4
"""Least span of an axis as a share of its values' size: below this the labels would need more digits than they have."""


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis from `low` to `high`, low < high, and 0 < low where it is logarithmic."""

    low: float
    high: float
    log: bool = False

    def share(self, values: np.ndarray) -> np.ndarray:
        """Where values lie on the axis, 0 at `low` and 1 at `high`; NaN where a logarithm has none."""
        if not self.log:
            return (values - self.low) / (self.high - self.low)
        low, high = math.log(self.low), math.log(self.high)
        return (np.log(np.where(values > 0.0, values, np.nan)) - low) / (high - low)

    def value(self, share: float) -> float:
        """The value at a share of the axis."""
        if not self.log:
            return self.low + share * (self.high - self.low)
        low, high = math.log(self.low), math.log(self.high)
        return math.exp(low + share * (high - low))

    def holds(self, low: float, high: float) -> bool:
        """Values from `low` to `high` lie on the axis, but for less than could ever be seen."""
        hair = 1e-8 * (self.low if self.log else self.high - self.low)
        return self.low - hair <= low and high <= self.high + hair


def settled(low: float, high: float, before: Scale | None, log: bool = False) -> Scale:
    """A range for values from `low` to `high`: the one `before` while it holds them and they fill a quarter of it.

    Otherwise the side that they left moves, or both if they fill less.
    """
    if before is not None and (before.log != log or (before.holds(low, high) and not _filled(low, high, before))):
        before = None
    if before is not None and before.holds(low, high):
        return before
    return _log_range(low, high, before) if log else _linear_range(low, high, before)


def settled_end(low: float, high: float, before: Scale | None) -> Scale:
    """An axis from `low` on with room beyond `high`: the one `before` while it begins there and holds them."""
    if before is not None and before.low == low and before.holds(low, high):
        return before
    room = (high - low or abs(high) or 1.0) * GROWTH
    step = nice_step((high + room - low) / 8)
    return Scale(low, math.ceil((high + room) / step - 1e-9) * step)


def _filled(low: float, high: float, scale: Scale) -> bool:
    """The values take a quarter of the scale; a constant takes what it is given."""
    used = scale.share(np.array([low, high]))
    return bool(used[1] - used[0] >= 0.25 or low == high)


def _linear_range(low: float, high: float, before: Scale | None) -> Scale:
    """Round numbers around the values, with head-room on the sides that move; from 0 if the values come near it."""
    size = max(abs(low), abs(high))
    if high - low <= size * 1e-9:
        room = size * 0.05 or 0.5
        bottom, top = low - room, high + room
    else:
        least = max(0.0, size * TIGHTEST - (high - low)) / 2
        low, high = low - least, high + least
        span = high - low
        bottom, top = low - span * HEAD_ROOM / 3, high + span * HEAD_ROOM
        if 0.0 <= low <= 0.4 * high:
            bottom = 0.0
        elif 0.4 * low <= high <= 0.0:
            top = 0.0
    if before is not None:
        bottom, top = bottom if low < before.low else before.low, top if high > before.high else before.high
    step = nice_step((top - bottom) / 8)
    return Scale(math.floor(bottom / step + 1e-9) * step, math.ceil(top / step - 1e-9) * step)


def _log_range(low: float, high: float, before: Scale | None) -> Scale:
    """1, 2 or 5 times a power of ten below and above, at least a factor of ten apart."""
    bottom = _round_log(low, up=False) if before is None or low < before.low else before.low
    top = _round_log(high * (1 + HEAD_ROOM), up=True) if before is None or high > before.high else before.high
    while top < bottom * 9.9:
        bottom = _round_log(bottom * 0.99, up=False)
        if top < bottom * 9.9:
            top = _round_log(top * 1.01, up=True)
    return Scale(bottom, top, log=True)


def _round_log(value: float, up: bool) -> float:
    value = min(max(value, 1e-300), 1e300)
    power = math.floor(math.log10(value))
    steps = [factor * 10.0**exponent for exponent in (power - 1, power, power + 1) for factor in (1.0, 2.0, 5.0)]
    near = 1e-9
    if up:
        return min(step for step in steps if step >= value * (1 - near))
    return max(step for step in steps if step <= value * (1 + near))


def nice_step(least: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `least`."""
    if not 0.0 < least < math.inf:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next((f * power for f in (1.0, 2.0, 2.5, 5.0) if f * power >= least * (1 - 1e-9)), 10.0 * power)
