"""How figures read in a few cells: 2914, 1.9k, 0.214, 38m, 1h52, 12 min ago; a dash for what is not known."""

from __future__ import annotations

import math

DASH = "–"


def number(value: float | None) -> str:
    """At most seven cells: three digits or all before the point, an exponent only where it is needed."""
    if value is None or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size >= 999.5e9:
        return f"{value:.0e}".replace("e+", "e")
    if size >= 99_999.5:
        return count(value)
    if size >= 99.95 or value == 0:
        return f"{value:.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    if size >= 0.9995:
        return f"{value:.2f}"
    if size >= 0.0009995:
        return f"{value:.3f}"
    return f"{value:.0e}".replace("e-0", "e-")


def count(value: float | None) -> str:
    """A count of steps: 999, 9.5k, 620k, 1.25M."""
    if value is None or not math.isfinite(value):
        return DASH
    size = abs(value)
    for limit, unit, letter in ((999.5, 1, ""), (999_500, 1e3, "k"), (999.5e6, 1e6, "M"), (math.inf, 1e9, "G")):
        if size < limit:
            scaled = value / unit
            digits = 0 if unit == 1 or abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
            text = f"{scaled:.{digits}f}"
            return (text.rstrip("0").rstrip(".") if digits else text) + letter
    raise AssertionError


def rate(value: float | None) -> str:
    """A speed: 1.70, 24.4, 245, 1.93k."""
    return count(value) if value is not None and abs(value) >= 999.5 else number(value)


def rough(value: float | None) -> str:
    """A count that rises all the time, in two digits."""
    return count(value if value is None or not math.isfinite(value) else float(f"{value:.2g}"))


def percent(share: float | None) -> str:
    """0.62 as 62%; 100% only for all of it."""
    if share is None or math.isnan(share):
        return DASH
    return f"{min(99, int(share * 100 + 0.5)) if share < 1.0 else 100}%"


def span(seconds: float | None) -> str:
    """A duration in at most five cells: 42s, 38m, 1h52, 3d04h."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def coarse(seconds: float | None) -> str:
    """An age that changes seldom: by 5 s below a minute, then by minutes."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    return span(max(0, int(seconds)) // 5 * 5 if seconds < 60 else seconds)


def size(count_of_bytes: float | None) -> str:
    """Bytes as 794 kB, 184 MB, 18.2 GB."""
    if count_of_bytes is None or not math.isfinite(count_of_bytes):
        return DASH
    value = float(count_of_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
