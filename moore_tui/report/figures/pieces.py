"""What the figures share: lines and bands in a group's look, one legend for all panels, counts on an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from moore_tui.report.figures.choose import Panel
from moore_tui.report.figures.curves import Floats
from moore_tui.report.figures.style import Style

MARKERS = 6
"""Markers on a curve, about."""
CROWD = 4
"""Groups above which bands lose their edges."""


def line(drawn: Line2D, style: Style) -> Line2D:
    """Give a line its group's look; the markers are hollow so that they hide nothing."""
    drawn.set(color=style.colour, linestyle=style.dash, marker=style.marker)
    drawn.set(markerfacecolor="white", markeredgewidth=0.8)
    return drawn


def marked(drawn: Line2D, place: int, of: int) -> None:
    """A few markers along a line, not at the same places as on the other lines."""
    every = max(1, np.size(drawn.get_xdata()) // MARKERS)
    drawn.set_markevery((place * every // of, every))


def band(axes: Axes, x: Floats, limits: tuple[Floats, Floats], colour: str, gid: str, crowded: bool = False) -> None:
    """A faint area with a fine edge, so that a few on top of each other can be told apart without colours too."""
    edge = {"linewidth": 0} if crowded else {"edgecolor": to_rgba(colour, 0.5), "linewidth": 0.3}
    axes.fill_between(x, *limits, facecolor=to_rgba(colour, 0.15), zorder=2, gid=gid, **edge)


def legend(
    drawn: Figure, panels: Sequence[Panel], look: dict[object, Style], keys: Sequence[object], wide: float
) -> None:
    """One for all panels, above them, in the order of the keys; nothing where a single curve needs no name."""
    labels = {group.key: group.label for panel in panels for group in panel.groups}
    handles = [line(Line2D([], []), look[key]) for key in keys]
    for handle, key in zip(handles, keys, strict=True):
        handle.set_label(labels[key])
    columns = next(count for count in range(len(keys), 0, -1) if count == 1 or _wide(labels, keys, count) < wide)
    handles = [handle for column in range(columns) for handle in handles[column::columns]]  # filled column by column
    drawn.legend(
        handles=handles, loc="outside upper center", ncols=columns, frameon=False, handlelength=2.5, columnspacing=1.2,
        borderaxespad=0.0, borderpad=0.1, handletextpad=0.5,
    )  # fmt: skip


def _wide(labels: Mapping[object, str], keys: Sequence[object], columns: int) -> float:
    """Inches that a legend with so many columns takes, about."""
    letters = [max(len(labels[key]) for key in keys[column::columns]) for column in range(columns)]
    return sum(4.3 * each + 32 for each in letters) / 72


def thousands(x: float) -> str:
    """A count on an axis: 500, 20 k, 1.5 M."""
    for size, unit in ((1e6, "M"), (1e4, "k")):
        if abs(x) >= size:
            return f"{x / min(size, 1e6 if unit == 'M' else 1e3):g} {unit}".replace("-", "−")
    return f"{x:g}".replace("-", "−")
