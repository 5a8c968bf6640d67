"""Figure 4: left the model's uncertainty u over the online stage, right the density of its relative error."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from moore_tui.report.figures import choose, curves
from moore_tui.report.figures.choose import Group, Panel, Plan
from moore_tui.report.figures.pieces import band, legend, line, marked, thousands
from moore_tui.report.figures.style import PAGE, Style, styles

SHOWN = 0.98
"""Quantile of the errors that the axis reaches beyond."""
POINTS = 400


def figure(plan: Plan) -> Figure:
    """A row for each panel, with one legend above them."""
    rows = len(plan.panels)
    drawn = Figure(figsize=(PAGE, 0.4 + 2.1 * rows), layout="constrained")
    keys = list(dict.fromkeys(group.key for panel in plan.panels for group in panel.groups))
    look = styles(keys)
    for (left, right), panel in zip(drawn.subplots(rows, 2, squeeze=False), plan.panels, strict=True):
        decay(left, panel, look)
        spread(right, panel, look)
        left.set_title(panel.title if rows > 1 else "", loc="left")
    legend(drawn, plan.panels, look, keys, PAGE)
    return drawn


def decay(axes: Axes, panel: Panel, look: dict[object, Style]) -> None:
    """Over seeds the interquartile mean of u's mean (line) and of its 20th and 80th percentile (band), log y."""
    for place, group in enumerate(panel.groups):
        runs = [choose.decay(run) for run in group.runs]
        mean, low, high = (curves.joined([(run[0], run[column]) for run in runs]) for column in (1, 2, 3))
        if mean is None or low is None or high is None:
            continue
        (drawn,) = axes.plot(mean.x, mean.middle, zorder=4, gid=f"u {group.label}")
        marked(line(drawn, look[group.key]), place, len(panel.groups))
        band(axes, mean.x, (low.middle, high.middle), look[group.key].colour, f"u band {group.label}")
    axes.set_yscale("log")
    axes.set_xlim(0, max(run.unc["env_step"].max() for run in panel.runs))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: thousands(x)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("environment steps")
    axes.set_ylabel("uncertainty u")


def spread(axes: Axes, panel: Panel, look: dict[object, Style]) -> None:
    """Densities, with a mark below them for every epoch of every seed."""
    found = densities(panel)
    if not found:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "too few epochs for a density", ha="center", va="center", transform=axes.transAxes)
        return
    end = reach(found)
    at = np.linspace(0.0, end, POINTS)
    heights = {group: curves.density(values, at) for group, values in found.items()}
    top = max(height.max() for height in heights.values())
    for place, (group, values) in enumerate(found.items()):
        (drawn,) = axes.plot(at, heights[group], zorder=4, gid=f"density {group.label}")
        line(drawn, look[group.key]).set_markevery((20 + 15 * place, 90))
        below = np.full(len(values), -top * (0.05 + 0.045 * place))
        axes.plot(values, below, "|", color=look[group.key].colour, markersize=3.2, markeredgewidth=0.6,
                  gid=f"values {group.label}")  # fmt: skip
    axes.axhline(0, linewidth=0.6, color="#bbbbbb", zorder=1)
    axes.set_xlim(0, end)
    axes.set_ylim(-top * (0.07 + 0.045 * len(found)), top * 1.05)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])
    axes.set_xlabel("relative uncertainty error")
    axes.set_ylabel("density")


def densities(panel: Panel) -> dict[Group, np.ndarray]:
    """The errors of the groups that have enough of them, (n,) each."""
    found = {group: choose.errors(group.runs) for group in panel.groups}
    return {
        group: values
        for group, values in found.items()
        if len(values) >= choose.FEWEST_ERRORS and curves.bandwidth(values) > 0
    }


def reach(found: dict[Group, np.ndarray]) -> float:
    """Where the axis of errors ends."""
    return 1.15 * max(float(np.quantile(values, SHOWN)) for values in found.values())
