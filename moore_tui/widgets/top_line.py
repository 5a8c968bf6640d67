"""The header: one line that answers whether anything is wrong, without a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moore_tui.messages import Machine
from moore_tui.runs.model import Snapshot
from moore_tui.widgets.sheet import Line, Piece, Sheet, length, spread
from moore_tui.widgets.states import STYLE, glyph

ORDER = ("crashed", "lost", "stalled", "restarting", "interrupted", "paused", "starting", "live", "done")
"""Of the counts, what is wrong first."""


class TopLine(Sheet):
    """Runs by state at the left, the machine at the right; what fits."""

    DEFAULT_CSS = """
    TopLine { dock: top; height: 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: tuple[str, Sequence[Snapshot], Machine | None, str, bool] | None = None

    def tell(
        self,
        shots: Mapping[str, Snapshot],
        *,
        where: str = "",
        machine: Machine | None = None,
        note: str = "",
        ascii: bool = False,
    ) -> None:
        """Show how many runs are in each state, where they lie, how busy the machine is, and a word in between."""
        self._told = where, tuple(shots.values()), machine, note, ascii
        self._paint()

    def on_resize(self) -> None:
        self._paint()

    def _paint(self) -> None:
        if self._told is None or not self.size.width:
            return
        where, shots, machine, note, ascii = self._told
        width = self.size.width
        counts = states([shot.state for shot in shots], ascii)
        many = f"{len(shots)} run{'' if len(shots) == 1 else 's'}"
        said: Line = (("  ", ""), (note, "warn")) if note else ()
        heads: list[Line] = [
            ((" moore-console", "strong"), (f" · {where} · {many}", "")),
            ((" moore", "strong"), (f" · {many}", "")),
        ]
        busy = load(machine)
        for head in heads:
            for right in (busy, busy[-1:]):
                line: Line = (*head, *counts, *said)
                if length(line) + sum(map(length, right)) + 2 * len(right) + 1 <= width:
                    return self.put([spread(line, _joined(right), width)])
        self.put([spread((*heads[-1], *counts, *said), (), width)])


def states(found: Sequence[str], ascii: bool = False) -> Line:
    """How many runs are in each state, such as `  ●2 live  ✗1 crashed`; what is wrong comes first."""
    pieces: list[Piece] = []
    for state in ORDER:
        if many := found.count(state):
            pieces += [("  ", ""), (f"{glyph(state, ascii)}{' ' if ascii else ''}{many} {state}", STYLE[state])]
    return tuple(pieces)


def load(machine: Machine | None) -> list[Line]:
    """GPUs, CPU, memory and host, the least telling first."""
    if machine is None:
        return []
    cards: list[Line] = []
    for card in machine.cards:
        name = f"gpu{card.number}" if len(machine.cards) > 1 else "gpu"
        cards.append(((f"{name} {card.busy:.0%} {card.used_gb:.1f}/{card.all_gb:.0f}G", ""),))
    heavy = "warn" if machine.load > 1.5 * machine.cores else ""
    full = "bad" if machine.memory > 0.95 else "warn" if machine.memory > 0.9 else ""
    return [
        ((machine.host, "dim"),),
        *cards,
        ((f"load {machine.load:.1f}/{machine.cores}", heavy), (f"  ram {machine.memory:.0%}", full)),
    ]


def _joined(parts: Sequence[Line]) -> Line:
    pieces: list[Piece] = []
    for part in parts:
        pieces += [*part, ("  ", "")]
    return (*pieces[:-1], (" ", "")) if pieces else ()
