"""How the figures look: sizes of a paper's columns, embedded fonts, and a colour, dash and marker for each group.

The colours are Okabe and Ito's, which the colour-blind tell apart; dashes and markers do the same in greyscale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib import colormaps
from matplotlib.colors import to_hex

COLUMN, PAGE = 3.4, 7.0
"""Widths of a paper's column and of its two, inches."""
GREY, DARK, SHADE = "#7a7a7a", "#333333", "#f3f3f3"
"""Of what was offline; of marks and words; of the ground below what was offline."""

SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": DARK,
    "axes.labelcolor": DARK,
    "xtick.color": DARK,
    "ytick.color": DARK,
    "text.color": DARK,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.0,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "savefig.dpi": 300,
}
"""Type 42 embeds the fonts as they are, so that text stays text and every publisher takes it."""

Dash = str | tuple[float, tuple[float, ...]]


class Style(NamedTuple):
    """One group's line."""

    colour: str
    dash: Dash
    marker: str


STYLES = (
    Style("#0072b2", "-", "o"),
    Style("#d55e00", (0, (4, 1.3)), "s"),
    Style("#009e73", (0, (1.2, 1.1)), "^"),
    Style("#cc79a7", (0, (5, 1.2, 1, 1.2)), "D"),
    Style("#e69f00", (0, (7, 1.5)), "v"),
    Style("#56b4e9", (0, (3, 1, 1, 1, 1, 1)), "<"),
    Style("#000000", (0, (1, 2.2)), "p"),
    Style("#8c6d1f", (0, (8, 1.2, 2, 1.2)), "h"),
)
FIXED = {
    "moore": 0, "mbpo": 3, "awac": 1, "balanced_replay": 2, "cql": 4, "mopo": 5,
    "priority": 0, "uniform": 1, "half_half": 2, "online_only": 3, "custom": 4,
}  # fmt: skip
"""Groups that look the same in every figure, whatever else is in it."""
ALPHA_DASHES: tuple[Dash, ...] = ("-", (0, (4, 1.3)), (0, (1.2, 1.1)))


def styles(keys: Sequence[Any]) -> dict[Any, Style]:
    """Of groups that have no order; those without a style of their own take what is left."""
    taken = {FIXED[key] for key in keys if key in FIXED}
    free = [number for number in range(len(STYLES)) if number not in taken] or [0]
    others = [key for key in keys if key not in FIXED]
    rest = {key: STYLES[free[place % len(free)]] for place, key in enumerate(others)}
    return {key: STYLES[FIXED[key]] if key in FIXED else rest[key] for key in keys}


def shades(keys: Sequence[Any]) -> dict[Any, Style]:
    """Of values in their order: from dark to light, which greyscale keeps."""
    colours = colormaps["viridis"]
    found = {}
    for place, key in enumerate(keys):
        shade = 0.85 * place / max(1, len(keys) - 1)
        dash, marker = ALPHA_DASHES[place % len(ALPHA_DASHES)], STYLES[place % len(STYLES)].marker
        found[key] = Style(to_hex(colours(shade)), dash, marker)
    return found
