"""A histogram in text: bars of block characters, or of ASCII where the terminal knows no others."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:#"


def histogram(values: NDArray[np.float64], width: int, height: int = 6, ascii_only: bool = False) -> list[str]:
    """Lines of at most `width` columns: bars `height` lines high, an axis, and under it the lowest value, the mean
    (marked on the axis) and the highest."""
    low, high = float(values.min()), float(values.max())
    side = 8
    room = max(8, width - side - 1)
    count = 1 if low == high else min(room, max(8, math.ceil(2 * len(values) ** (1 / 3))))
    each = min(4, room // count)
    tallies = np.histogram(values, bins=count, range=(low, high) if low < high else (low - 0.5, high + 0.5))[0]
    bars = np.repeat(tallies, each)
    marks = ASCII if ascii_only else BLOCKS
    steps = len(marks) - 1
    levels = np.ceil(bars / max(1, tallies.max()) * height * steps).astype(int)
    lines = []
    for row in range(height - 1, -1, -1):
        label = f"{tallies.max():>{side - 1},} " if row == height - 1 else " " * side
        cells = (marks[min(steps, max(0, level - row * steps))] for level in levels)
        lines.append((label + ("|" if ascii_only else "│") + "".join(cells)).rstrip())
    mean = float(values.mean())
    at = 0 if low == high else min(bars.size - 1, int((mean - low) / (high - low) * bars.size))
    axis = ["-" if ascii_only else "─"] * bars.size
    axis[at] = "^" if ascii_only else "┴"
    lines.append(" " * side + ("+" if ascii_only else "└") + "".join(axis))
    lines.append(" " * (side + 1) + _under(bars.size, at, number(low), f"mean {number(mean)}", number(high)))
    return [line[:width] for line in lines]


def number(value: float) -> str:
    """A return to read: as many decimals as its size leaves room for."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _under(width: int, at: int, low: str, mean: str, high: str) -> str:
    """Three labels below the axis: at its ends and below the mark, or after one another where they would touch."""
    start = min(max(at - len(mean) // 2, len(low) + 2), width - len(high) - 2 - len(mean))
    if start < len(low) + 2:
        return "  ".join((low, mean, high))
    line = low.ljust(start) + mean
    return line.ljust(width - len(high)) + high
