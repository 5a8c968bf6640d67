"""Pane 3: where the sampler's probability lies, offline or online: expected as an area, as sampled as a line."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np

from moore_tui.runs import algorithms
from moore_tui.runs.schedule import preview
from moore_tui.widgets import curves
from moore_tui.widgets.chart_pane import Chart, ChartPane
from moore_tui.widgets.chart_view import Series
from moore_tui.widgets.figures import DASH, count, number, percent
from moore_tui.widgets.pane import RunView
from moore_tui.widgets.sheet import Line, fitting

OFFLINE = "offline stage: all draws off"
WITHOUT_PRIORITIES = ("uniform", "half_half", "online_only", algorithms.RATIO)
"""Laws that are no matter of f(t)."""


class MassPane(ChartPane):
    """f(t) is the priority of an offline row when an online row's is 1; a shift is a total variation of two laws."""

    number = 3
    title = "Priority mass"
    kinds: ClassVar[tuple[str, ...]] = ("share",)
    info_rows = 2
    HELP: ClassVar[str] = (
        "Where the sampler's probability lies at each fit of the model: the lower area is the offline rows' share as "
        "expected, the upper one the online rows', the dotted line the offline share among the rows drawn. The "
        "dash-dotted line is f(t), the priority of an offline row when an online row's is 1; of a sampler without "
        "priorities the name is told instead. A shift is the total "
        "variation between the sampling laws of two epochs: of this epoch and the one before, then of the next one."
    )

    def key(self, view: RunView) -> Hashable:
        return super().key(view), view.snapshot.stage, view.settings is None, _sampler(view)

    def chart(self, view: RunView) -> Chart:
        if view.series is None:
            return Chart(info=[])
        axis = view.chart.axis
        expected = curves.curve(view.series, "share", "p_off", axis)
        sampled = curves.curve(view.series, "share", "p_off_sampled", axis)
        priority = curves.curve(view.series, "share", "priority_off", axis)
        found = []
        if expected.x.size:
            x, p = _kept_until(view.boundary, expected.x, expected.y)
            found = [
                Series("offline", x, p, color="offline"),
                Series("online", x, 1.0 - p, color="online", dash="dashed"),
                Series("sampled", sampled.x, sampled.y, color="series-2", dash="dotted", filled=False),
            ]
            if view.settings is not None and _sampler(view) not in WITHOUT_PRIORITIES:
                found.append(Series("f(t)", priority.x, priority.y, color="series-4", dash="dashdot", filled=False))
        last = view.series.last("share") or {}
        right: Line = (("off ", "dim"), (percent(_number(last.get("p_off"))), "strong")) if last else ()
        named: Line = ((f" · {_sampler(view)}", "dim"),) if _sampler(view) in WITHOUT_PRIORITIES else ()
        empty = "no fit yet" if algorithms.has_models(view.plan.algo) else "no online epoch yet"
        return Chart(found, ((self.title, ""), *named), right, self._figures(view, last), stacked=True, empty=empty)

    def summary(self, view: RunView) -> str:
        last = view.series.last("share") if view.series is not None else None
        return f"off {percent(_number(last.get('p_off')))}" if last else f"off {DASH}"

    def _figures(self, view: RunView, last: dict[str, Any]) -> list[Line]:
        if not last or view.settings is None:
            return []
        sampler, width = _sampler(view), self.inner_width
        law: Line = (("f(t) ", "dim"), (number(_number(last.get("priority_off"))), ""))
        if sampler in WITHOUT_PRIORITIES:
            law = (("sampler ", "dim"), (sampler, ""))
        shift: Line = (("shift ", "dim"), (number(_number(last.get("shift"))), ""))
        rows = f"{count(_number(last.get('n_off')))}+{count(_number(last.get('n_on')))}"
        parts: list[list[Line]] = [
            [law],
            [(("rows ", "dim"), (rows, ""))],
            [(*shift, (" → ", "dim"), (number(next_shift(view, last)), "")), shift],
        ]
        offline = view.snapshot.stage == "offline" and len(OFFLINE) <= width
        share: Line = ((OFFLINE, "off"),) if offline else share_line(_number(last.get("p_off")), width)
        return [share, fitting(parts, width)]


def _kept_until(boundary: float | None, x: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points of a share, with one more where online begins: up to there the last offline one holds."""
    if boundary is None or not 0 < (first := int(np.searchsorted(x, boundary))) < x.size:
        return x, p
    return np.insert(x, first, boundary), np.insert(p, first, p[first - 1])


def share_line(p_off: float | None, width: int) -> Line:
    """`off 41% ▓▓▓▓▓░░░░░░░ on 59%` in `width` cells."""
    if p_off is None or not np.isfinite(p_off):
        return ()
    left, right = f"off {percent(p_off)} ", f" on {percent(1.0 - p_off)}"
    cells = max(0, min(40, width - len(left) - len(right)))
    full = round(cells * p_off)
    return ((left, "off"), ("▓" * full, "off"), ("░" * (cells - full), "on"), (right, "on"))


def _sampler(view: RunView) -> str:
    """Its name, or that of the law by which the algorithm draws; empty where the configuration is not known."""
    settings = view.settings or {}
    return algorithms.law(view.plan.algo, str(settings["online.sampler"])) if "online.sampler" in settings else ""


def _alpha(view: RunView) -> float | str | None:
    """The one that holds now, 1 where the law has none; None where the configuration is not known."""
    from moore_tui.runs.lineage import NO_EFFECT, Changed

    value = (view.settings or {}).get("online.alpha")
    return 1.0 if value is NO_EFFECT else value.values[-1] if isinstance(value, Changed) else value


def next_shift(view: RunView, last: dict[str, Any]) -> float | None:
    """How far the law will move in the epoch to come; None where the schedule or the plan ends."""
    plan, alpha, sampler = view.plan, _alpha(view), _sampler(view)
    n_off, epoch = _number(last.get("n_off")), last.get("epoch")
    if n_off is None or alpha is None or not sampler or not plan.steps_per_epoch or not plan.online_epochs:
        return None
    following = int(epoch) + 1 if last.get("stage") == "online" and isinstance(epoch, int) else 1
    if following > plan.online_epochs:
        return None
    try:
        schedule = preview(int(n_off), plan.steps_per_epoch, plan.online_epochs, alpha, sampler)
    except ValueError:
        return None
    return schedule.shift[following - 1] if schedule is not None and following <= len(schedule.shift) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
