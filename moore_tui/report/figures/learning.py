"""Figures 1 to 3: evaluations before and after the switch, one curve a group, on one axis with two units.

Left of the switch, at 0, x counts gradient updates (negative), right of it environment steps; the offline strip has a
fixed share of the width. What the lines and bands hold are these numbers themselves, only their scale is bent.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from moore_tui.report.figures import curves
from moore_tui.report.figures.choose import Group, Panel, Plan
from moore_tui.report.figures.curves import Curve
from moore_tui.report.figures.pieces import CROWD, band, legend, line, marked, thousands
from moore_tui.report.figures.style import COLUMN, DARK, GREY, PAGE, SHADE, Style, shades, styles
from moore_tui.runs.compare import FIELDS

STRIP = 0.24
"""Share of the width that the offline stage has."""
UNITS = {"score": "normalised score", "return": "return"}


def figure(plan: Plan) -> Figure:
    """All panels of the plan, with one legend above them."""
    count = len(plan.panels)
    columns = 2 if count == 4 else min(count, 3)
    rows = -(-count // columns)
    size = (COLUMN, 2.7) if count == 1 else (PAGE, 0.45 + 2.0 * rows)
    drawn = Figure(figsize=size, layout="constrained")
    keys = list(dict.fromkeys(group.key for panel in plan.panels for group in panel.groups))
    if plan.kind == "alpha":
        keys.sort(key=lambda alpha: (isinstance(alpha, str), alpha))
    look = shades(keys) if plan.kind == "alpha" else styles(keys)
    axes = drawn.subplots(rows, columns, squeeze=False).flat
    for place, (each, panel) in enumerate(zip(axes, plan.panels, strict=False)):
        learning(each, panel, look, ticks=5 if columns < 3 else 3)
        each.set_title(panel.title if count > 1 else "", pad=12)
        if place % columns == 0 or panel.unit != plan.panels[place - 1].unit:
            each.set_ylabel(UNITS[panel.unit])
    for each in list(axes)[count:]:
        each.set_axis_off()
    legend(drawn, plan.panels, look, keys, size[0])
    return drawn


def learning(axes: Axes, panel: Panel, look: dict[object, Style], ticks: int = 5) -> None:
    """One panel: offline in grey, the switch, online in colour, with at most so many ticks after the first."""
    column = FIELDS[panel.unit]
    end = horizon(panel)
    before = {group: curves.joined([curves.offline(run, column) for run in group.runs]) for group in panel.groups}
    length = max(map(curves.offline_updates, panel.runs))
    bend(axes, length, end, ticks)
    if length:
        axes.axvspan(-length, 0, color=SHADE, zorder=0, linewidth=0)
        _offline(axes, before, look)
    for place, group in enumerate(panel.groups):
        curve = curves.joined([curves.online(run, column) for run in group.runs])
        if curve is not None:
            _online(axes, group, curve, look[group.key], end, (place, len(panel.groups)))
    axes.axvline(0, color=DARK, linewidth=0.9, zorder=2, gid="switch")
    top = axes.get_xaxis_transform()
    if length:
        axes.text(0, 1.01, "offline ", color=GREY, ha="right", va="bottom", fontsize=6.5, transform=top)
    axes.text(0, 1.01, " online", ha="left", va="bottom", fontsize=6.5, transform=top)


def horizon(panel: Panel) -> float:
    """Environment steps at which the axis ends: where MOORe's runs do, else the longest group's.

    What a rival does with a larger budget is cut there and its end marked.
    """
    ends = {group: min(run.last_step for run in group.runs) for group in panel.groups}
    own = [end for group, end in ends.items() if group.runs[0].algo == "moore"]
    return max(own or ends.values())


def bend(axes: Axes, offline: float, end: float, most: int) -> None:
    """Scale, ticks and names of the x axis: gradient updates before 0, environment steps after it."""
    factor = end * STRIP / (1 - STRIP) / offline if offline else 1.0
    axes.set_xscale(
        "function",
        functions=(lambda x: np.where(x < 0, x * factor, x), lambda x: np.where(x < 0, x / factor, x)),
    )
    axes.set_xlim(-offline, end)
    after = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(0, end)
    before = [x for x in MaxNLocator(2, steps=[1, 2, 4, 5, 10]).tick_values(-offline, 0) if -offline <= x < 0]
    ticks = [*before[:1], *(x for x in after if 0 <= x <= end)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: thousands(x)))
    for tick, label in zip(ticks, axes.get_xticklabels(), strict=True):
        label.set_color(GREY if tick < 0 else DARK)
    share = STRIP if offline else 0.0
    names = [("environment steps", (1 + share) / 2, DARK), *([("updates", share / 2, GREY)] if offline else [])]
    for name, x, colour in names:
        axes.annotate(name, (x, 0), (0, -16), "axes fraction", "offset points", color=colour, ha="center", va="top")


def _offline(axes: Axes, before: dict[Group, Curve | None], look: dict[object, Style]) -> None:
    """In grey; groups that share one offline stage are drawn once."""
    seen: list[Curve] = []
    for group, curve in before.items():
        if curve is None or any(
            np.array_equal(curve.x, one.x) and np.array_equal(curve.middle, one.middle) for one in seen
        ):
            continue
        seen.append(curve)
        dash = look[group.key].dash
        axes.plot(
            curve.x, curve.middle, color=GREY, linestyle=dash, linewidth=1.0, zorder=3, gid=f"offline {group.label}"
        )
        if curve.band is not None:
            band(axes, curve.x, curve.band, GREY, f"offline band {group.label}", crowded=True)


def _online(axes: Axes, group: Group, whole: Curve, style: Style, end: float, place: tuple[int, int]) -> None:
    """In colour; where the curve goes on beyond the axis an arrowhead, where it ends before that a bar."""
    curve = whole.until(end)
    crowded = place[1] > CROWD
    wide = 0.9 if crowded else 1.2
    (drawn,) = axes.plot(curve.x, curve.middle, linewidth=wide, zorder=4, clip_on=False, gid=f"online {group.label}")
    marked(line(drawn, style), *place)
    if curve.band is not None:
        band(axes, curve.x, curve.band, style.colour, f"band {group.label}", crowded)
    marker, size = (">", 4) if whole.x[-1] > end else ("|", 7) if whole.x[-1] < end else ("", 0)
    if marker:
        axes.plot(curve.x[-1:], curve.middle[-1:], marker=marker, markersize=size, color=style.colour,
                  markeredgewidth=1.4, clip_on=False, zorder=5, linestyle="", gid=f"end {group.label}")  # fmt: skip
