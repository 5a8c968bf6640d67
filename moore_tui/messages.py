"""What the parts of the console tell each other: messages, and the values they carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual.message import Message

if TYPE_CHECKING:
    from moore_tui.widgets.chart_view import ChartView


@dataclass(frozen=True)
class Action:
    """Something asked of one run: `text` says what goes on, where it took effect, or why it did not.

    `batch` is the same for what was asked of several runs at once; `t` is unix seconds. `made` are the runs that a
    launch began; until then its `run_id` is what their names begin with, then the first of them.
    """

    number: int
    run_id: str
    verb: str
    state: Literal["pending", "done", "refused", "timeout"]
    text: str
    t: float
    batch: int = 0
    made: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A GPU: share of the time that it is busy, memory in GiB."""

    number: int
    busy: float
    used_gb: float
    all_gb: float


@dataclass(frozen=True)
class Machine:
    """This machine: load average over `cores`, share of its memory in use."""

    host: str
    load: float
    cores: int
    memory: float
    cards: tuple[Card, ...] = ()


class FactsChanged(Message, bubble=False):
    """The feed holds newer facts. Many of these are as good as one: the panes compare versions."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, FactsChanged)


class RunSelected(Message):
    """The cursor stands on another run."""

    def __init__(self, run_id: str | None) -> None:
        super().__init__()
        self.run_id = run_id


class MarksChanged(Message):
    """Other runs are marked."""


class ActionChanged(Message, bubble=False):
    """An action was asked for, or has come to its end."""

    def __init__(self, action: Action) -> None:
        super().__init__()
        self.action = action


class PaneBroke(Message):
    """A pane cannot show a run: a mistake of the console's own, which leaves the other panes alone."""

    def __init__(self, title: str, error: Exception) -> None:
        super().__init__()
        self.title, self.error = title, error


class WindowChanged(Message):
    """The charts shall show another part, or show it otherwise."""

    def __init__(self, view: ChartView) -> None:
        super().__init__()
        self.view = view
