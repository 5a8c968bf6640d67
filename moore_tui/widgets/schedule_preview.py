"""What a run will do, before it exists: the share of offline rows over the online epochs, time, disk, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from moore_tui.runs.schedule import Schedule
from moore_tui.widgets.chart_view import Mark, Series
from moore_tui.widgets.curve_plot import CurvePlot
from moore_tui.widgets.curves import level
from moore_tui.widgets.figures import number, percent
from moore_tui.widgets.sheet import Line, Sheet, cut, longest, wrapped

TITLES = (
    "3 Preview · offline share P_off over the online epochs",
    "3 Preview · offline share P_off",
    "3 Preview · P_off",
)
LABEL = 15
"""Cells of a fact's name."""
ROOM = 8
"""Rows that the curve is left, if the facts need all the others."""


@dataclass(frozen=True)
class Preview:
    """What there is to show: the schedule or why there is none, facts by name, the warnings."""

    schedule: Schedule | None = None
    why_none: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    warnings: Sequence[str] = ()


class SchedulePreview(Vertical):
    """The curve of P_off, below it the facts."""

    DEFAULT_CSS = """
    SchedulePreview { height: 1fr; min-height: 1; }
    SchedulePreview CurvePlot { height: 1fr; min-height: 4; }
    SchedulePreview Sheet { height: 4; }
    SchedulePreview.-folded { height: 1; }
    SchedulePreview.-folded CurvePlot, SchedulePreview.-blank CurvePlot { display: none; }
    SchedulePreview.-folded Sheet { height: 1; }
    SchedulePreview.-blank Sheet { height: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.preview = Preview()

    def compose(self) -> ComposeResult:
        plot = CurvePlot(legend=False)
        plot.can_focus = False
        yield plot
        yield Sheet()

    def fold(self, folded: bool) -> None:
        """One line, or everything."""
        self.set_class(folded, "-folded")
        self.paint()

    def show(self, preview: Preview) -> None:
        if preview != self.preview:
            self.preview = preview
            self.paint()

    def paint(self) -> None:
        """Show what there is in the room there is."""
        if not self.is_mounted:
            return
        schedule = self.preview.schedule
        self.border_title = Content(longest(TITLES, self.size.width - 4))
        self.set_class(schedule is None, "-blank")
        if schedule is not None:
            epochs = np.arange(1, len(schedule.p_off) + 1, dtype=np.float64)
            curve = Series("P_off", epochs, np.array(schedule.p_off), color="offline")
            half = schedule.half_epoch
            self.query_one(CurvePlot).plot(
                [curve, level("a half", 0.5, 1.0, float(half or len(epochs)))],
                marks=[] if half is None else [Mark(float(half))],
                horizon=(1.0, float(max(2, len(epochs)))),
                x_label="online epoch",
                y_range=(0.0, 1.0),
            )
        sheet = self.query_one(Sheet)
        lines = self._lines(max(1, self.size.width))
        if schedule is not None and not self.has_class("-folded"):
            sheet.styles.height = min(len(lines), max(4, self.size.height - ROOM))
        else:
            sheet.styles.height = None
        sheet.put(lines)

    def on_resize(self) -> None:
        self.paint()

    def _lines(self, width: int) -> list[Line]:
        preview = self.preview
        if self.has_class("-folded"):
            told = [schedule_words(preview.schedule)] if preview.schedule else [preview.why_none]
            told += [f"{name} {text}" for name, text in preview.facts]
            return [cut((("3 Preview  ", "key"), (" · ".join(each for each in told if each), "dim")), width)]
        facts = [*schedule_facts(preview.schedule), *preview.facts]
        lines: list[Line] = []
        if preview.why_none:
            lines += [((line, "dim"),) for line in wrapped(preview.why_none, width)]
        for name, text in facts:
            first, *rest = wrapped(text, max(10, width - LABEL))
            lines.append(((name.ljust(LABEL), "dim"), (first, "")))
            lines += [((" " * LABEL, ""), (each, "")) for each in rest]
        for warning in preview.warnings:
            lines += [((line, "warn"),) for line in wrapped(f"! {warning}", width)]
        return lines


def schedule_facts(schedule: Schedule | None) -> list[tuple[str, str]]:
    """When half the mass is online, and where the data shifts most."""
    if schedule is None or not schedule.p_off:
        return []
    half = f"epoch {schedule.half_epoch} of {len(schedule.p_off)}" if schedule.half_epoch else "not in this run"
    if schedule.half_epoch is None and schedule.half_time is not None:
        half += f" (it would be epoch {number(schedule.half_time)})"
    last = f"P_off ends at {percent(schedule.p_off[-1])}"
    return [
        ("half online", f"{half}; {last}"),
        ("largest shift", f"{number(schedule.largest_shift)} in epoch {schedule.shift_epoch}"),
    ]


def schedule_words(schedule: Schedule) -> str:
    """The same in a few words."""
    half = f"half online at epoch {schedule.half_epoch}" if schedule.half_epoch else "half never online"
    return f"{half}, largest shift {number(schedule.largest_shift)} in epoch {schedule.shift_epoch}"
