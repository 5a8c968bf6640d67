"""Ticks at round values, and numbers short enough for a chart: 250k, 1.5M, 1e-5, and times as 1h20."""

from __future__ import annotations

import math
from typing import NamedTuple

from moore_tui.widgets.scale import Scale, nice_step

UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
UNITS_OF_TIME = "dhms"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
TIME_STEPS = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(each * MINUTE for each in (1, 2, 5, 10, 15, 30)),
    *(each * HOUR for each in (1, 2, 3, 6, 12)),
)


class Tick(NamedTuple):
    value: float
    label: str


def ticks(scale: Scale, most: int, time: bool = False) -> list[Tick]:
    """At most `most` (at least 1) ticks on the scale, rising; `time` reads values as seconds."""
    if scale.log:
        return _log_ticks(scale, most)
    step = _step(scale, most, time)
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    values = [number * step for number in range(first, last + 1)]
    if time:
        return [Tick(value, duration(value, step)) for value in values]
    plain = max(abs(scale.low), abs(scale.high)) < 1e4
    return [Tick(value, label(value, step, plain)) for value in values]


def _step(scale: Scale, most: int, time: bool) -> float:
    """The smallest round step that gives no more ticks than `most`."""
    steps = iter(TIME_STEPS) if time else iter(())
    step = next(steps, 0.0) or nice_step((scale.high - scale.low) / max(most, 1) / 2)
    while math.floor(scale.high / step + 1e-9) - math.ceil(scale.low / step - 1e-9) + 1 > max(most, 1):
        following = next(steps, 0.0)
        step = following or (nice_step(step / DAY * 1.01) * DAY if time else nice_step(step * 1.01))
    return step


def _log_ticks(scale: Scale, most: int) -> list[Tick]:
    """Decades, every n-th where there are many; their 2 and 5 as well, or their 3, where there is room."""
    lowest, highest = math.floor(math.log10(scale.low) + 1e-9), math.ceil(math.log10(scale.high) - 1e-9)
    exponents = range(lowest, highest + 1)
    for factors, every in (((1, 2, 5), 1), ((1, 3), 1), *(((1,), n) for n in (1, 2, 3, 4, 5, 10, 20, 50, 100, 200))):
        values = [f * 10.0**e for e in exponents if e % every == 0 for f in factors]
        shown = [v for v in values if scale.low * (1 - 1e-9) <= v <= scale.high * (1 + 1e-9)]
        if len(shown) <= max(most, 1):
            return [Tick(value, label(value, value, plain=False)) for value in shown]
    return []


def label(value: float, step: float, plain: bool = False) -> str:
    """`value`, a multiple of `step`, with the digits that `step` needs; `plain` without k, M, G, T."""
    size = max(abs(value), abs(step))
    if abs(value) < abs(step) * 1e-6:
        return "0"
    if size >= 1e15 or abs(step) < 1e-4:
        return _scientific(value, step)
    if not plain:
        for unit, letter in UNITS:
            if abs(value) >= unit * (1 - 1e-9):
                return f"{_trimmed(value / unit, _decimals(step / unit))}{letter}"
    return f"{value:.{_decimals(step)}f}"


def _decimals(step: float) -> int:
    """Decimals that tell multiples of `step` apart exactly."""
    return next((n for n in range(12) if abs(step * 10**n - round(step * 10**n)) < 1e-6 * max(1.0, step * 10**n)), 12)


def _trimmed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(value: float, step: float) -> str:
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    mantissa = value / 10.0**exponent
    decimals = max(0, exponent - math.floor(math.log10(abs(step)) + 1e-9))
    if abs(step / 10.0 ** (math.floor(math.log10(abs(step)) + 1e-9)) % 1.0) > 1e-6:
        decimals += 1
    return f"{_trimmed(mantissa, min(decimals, 6))}e{exponent}"


def duration(seconds: float, step: float | None = None) -> str:
    """30s, 20m, 1m30, 1h20, 2d6h: as exact as a multiple of `step` needs, or the two largest units without one."""
    whole = round(abs(seconds))
    days, rest = divmod(whole, int(DAY))
    parts = [days, rest // int(HOUR), rest // int(MINUTE) % 60, rest % 60]
    first = next((place for place, part in enumerate(parts) if part), None)
    if first is None:
        return "0"
    last = max(place for place, part in enumerate(parts) if part and (step is not None or place <= first + 1))
    text = f"{parts[first]}{UNITS_OF_TIME[first]}"
    for place in range(first + 1, last + 1):
        number = f"{parts[place]:02d}" if place > 1 else str(parts[place])
        text += number + (UNITS_OF_TIME[place] if place < last or place == 1 else "")
    return f"-{text}" if seconds < 0 else text


def readable(value: float, digits: int = 5) -> str:
    """A value by itself: whole numbers whole, others with `digits` digits, powers of ten where they are far from 1."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == round(value) and abs(value) < 1e9:
        return str(round(value))
    if 1e-4 <= abs(value) < 10**digits:
        return _trimmed(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def shortest(value: float, width: int) -> str:
    """A value in at most `width` characters, as exact as they allow; empty if none is exact enough."""
    candidates = [readable(value, digits) for digits in (6, 5, 4, 3)]
    for unit, letter in UNITS:
        if abs(value) >= unit:
            candidates += [f"{_trimmed(value / unit, decimals)}{letter}" for decimals in (2, 1, 0)]
            break
    else:
        candidates += [_trimmed(value, decimals) for decimals in (2, 1, 0)]
    return next((text for text in candidates if len(text) <= width), "")
