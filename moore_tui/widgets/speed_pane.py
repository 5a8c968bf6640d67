"""Pane 6: how fast it goes, where the time goes, what is left, and what the machine gives."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np

from moore_tui.widgets import curves
from moore_tui.widgets.figures import DASH, percent, rate
from moore_tui.widgets.pane import RunView
from moore_tui.widgets.run_rows import left
from moore_tui.widgets.sheet import Line, cut, fitting, length
from moore_tui.widgets.states import plain
from moore_tui.widgets.text_pane import TextPane

PARTS = "█▓▒░▚▞"
ASCII_PARTS = "#=+-:."
LEVELS = "▁▂▃▄▅▆▇█"
ASCII_LEVELS = "_.-=+*%#"


class SpeedPane(TextPane):
    number = 6
    title = "Throughput"
    HELP: ClassVar[str] = (
        "Environment steps and updates a second, where the time went since the last report, what the trainer's "
        "process uses of this machine, and the last rates, one a cell. Memory is as the trainer tells it where its "
        "process is on another machine."
    )

    def key(self, view: RunView) -> Hashable:
        shot, cards = view.snapshot, view.machine.cards if view.machine else ()
        return (
            shot.id, shot.state, shot.doing, view.ascii, left(shot), view.usage, cards,
            curves.stamp(view.series, "perf"),
        )  # fmt: skip

    def paint(self, view: RunView) -> None:
        last = (view.series.last("perf") if view.series is not None else None) or {}
        eta = left(view.snapshot)
        late: Line = () if view.snapshot.state == "live" else ((" when last heard", "dim"),)
        self.caption(((self.title, ""), *late), (("eta ", "dim"), (eta, "strong")) if eta else ())
        width = self.inner_width
        lines = [
            self._rates(view, last),
            *phases(last.get("phases"), width, view.ascii),
            self._machine(view, last),
            *(self._history(view, name, label, width) for name, label in RATES),
        ]
        self.reader.fill([cut(line, width) for line in lines if line])

    def summary(self, view: RunView) -> str:
        last = (view.series.last("perf") if view.series is not None else None) or {}
        if view.snapshot.stage == "online":
            return f"{rate(_number(last.get('env_steps_per_s')))} st/s"
        return f"{rate(_number(last.get('updates_per_s')))} up/s"

    def _rates(self, view: RunView, last: dict[str, Any]) -> Line:
        doing = plain(view.snapshot.doing)
        parts: list[list[Line]] = [
            [(("env ", "dim"), (f"{rate(_number(last.get('env_steps_per_s')))} st/s", "strong"))],
            [(("updates ", "dim"), (f"{rate(_number(last.get('updates_per_s')))}/s", "strong"))],
        ]
        if doing:
            parts.append([(("now ", "dim"), (told, "")) for told in (doing, doing.partition(",")[0])])
        return fitting(parts, self.inner_width)

    def _machine(self, view: RunView, last: dict[str, Any]) -> Line:
        usage, cards = view.usage, view.machine.cards if view.machine else ()
        cores = DASH if usage is None or usage.cores is None else f"{usage.cores:.1f} cores"
        memory = usage.rss_mb if usage is not None else _number(last.get("rss_mb"))
        parts: list[list[Line]] = [[(("cpu ", "dim"), (cores, ""))], [(("memory ", "dim"), (_megabytes(memory), ""))]]
        for card in cards:
            name = (f"gpu{card.number if len(cards) > 1 else ''} ", "dim")
            busy = f"{card.busy:.0%}"
            parts.append([(name, (f"{busy} {card.used_gb:.1f}/{card.all_gb:.0f}G", "")), (name, (busy, ""))])
        return fitting(parts if cards else [*parts, [(("gpu ", "dim"), (DASH, ""))]], self.inner_width)

    def _history(self, view: RunView, name: str, label: str, width: int) -> Line:
        """The last rates, one a cell."""
        if view.series is None:
            return ()
        head = f"{label} "
        values = curves.column(view.series, "perf", name)[-max(1, width - len(head)) :]
        if not values.size or not np.nanmax(values, initial=0.0):
            return ()
        levels = ASCII_LEVELS if view.ascii else LEVELS
        share = np.nan_to_num(values / np.nanmax(values))
        return ((head, "dim"), ("".join(levels[min(7, int(each * 7.999))] for each in share), "on"))


RATES = (("updates_per_s", "updates/s"), ("env_steps_per_s", "steps/s  "))


def phases(shares: Any, width: int, ascii: bool = False) -> list[Line]:
    """Where the time went, as a bar and in words, the largest part first."""
    if not isinstance(shares, dict):
        return []
    found = [(name, float(share)) for name, share in shares.items() if isinstance(share, int | float) and share > 0.005]
    found.sort(key=lambda each: -each[1])
    if not found:
        return []
    parts = ASCII_PARTS if ascii else PARTS
    total, bar, words = sum(share for _, share in found), [], []
    edge, drawn = 0.0, 0
    for place, (name, share) in enumerate(found):
        edge += share
        end = round(width * edge / total)
        glyph, style = parts[min(place, len(parts) - 1)], ("on", "off", "info", "warn")[place % 4]
        bar.append((glyph * (end - drawn), style))
        words += [(f"{glyph} ", style), (f"{_printable(name)} {percent(share)}  ", "")]
        drawn = end
    lines: list[Line] = [tuple(bar)]
    row: Line = ()
    for mark, word in zip(words[::2], words[1::2], strict=True):
        if row and length((*row, mark, word)) > width + 2:
            lines.append(row)
            row = ()
        row += (mark, word)
    return [*lines, row]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:20]


def _megabytes(value: float | None) -> str:
    if value is None:
        return DASH
    return f"{value:.0f} MB" if value < 9999.5 else f"{value / 1024:.1f} GB"
