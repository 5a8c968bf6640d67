"""Pane 1: every run on a line of its own, with its state in words, filtered, sorted and marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from moore_tui.keys import bindings
from moore_tui.messages import MarksChanged, RunSelected
from moore_tui.runs.filter import BadFilter, Filter, parse
from moore_tui.runs.model import Snapshot
from moore_tui.widgets.pane import Pane
from moore_tui.widgets.run_rows import SORTS, heading, ordered, row
from moore_tui.widgets.sheet import Line, Sheet, wrapped

HEADING_FROM = 8
"""Rows from which one is spent on the names of the columns."""


class RunRows(Sheet, can_focus=True):
    """The lines of the list, of which only those on screen are made; `nothing` is said where there are none."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings("runs"))

    class Opened(Message):
        """The run under the cursor shall be looked at."""

    class Sorted(Message):
        """Another order is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.shots: list[Snapshot] = []
        self.cursor = 0
        self.top = 0
        self.marked: set[str] = set()
        self.ascii = False
        self.nothing: tuple[str, ...] = ()

    @property
    def selected(self) -> str | None:
        return self.shots[self.cursor].id if self.cursor < len(self.shots) else None

    @property
    def page(self) -> int:
        """Runs that fit on the screen."""
        return max(1, self.size.height - self._heading)

    @property
    def _heading(self) -> int:
        return 1 if self.size.height >= HEADING_FROM else 0

    def fill(self, shots: Sequence[Snapshot], selected: str | None) -> None:
        """Show these runs in this order, the cursor on the selected one or near where it was."""
        self.shots = list(shots)
        places = {shot.id: place for place, shot in enumerate(self.shots)}
        self.cursor = places.get(selected or "", min(self.cursor, max(0, len(self.shots) - 1)))
        self.draw()

    def draw(self) -> None:
        """Scroll the cursor into view and repaint what changed."""
        width, page = self.size.width, self.page
        self.top = max(0, min(self.top, self.cursor, len(self.shots) - page))
        self.top = max(self.top, self.cursor - page + 1)
        longest = max((len(shot.id) for shot in self.shots), default=0)
        lines: list[Line] = [heading(width, longest)] if self._heading and self.shots else []
        for place in range(self.top, min(len(self.shots), self.top + page)):
            shot, here = self.shots[place], place == self.cursor
            marked = shot.id in self.marked
            lines.append(row(shot, width, here, marked, self.has_focus, self.ascii, longest))
        if not self.shots:
            lines = [((f" {part}", "dim"),) for text in self.nothing for part in wrapped(text, width - 2)]
        self.put(lines)

    def move(self, place: int) -> None:
        """The cursor to this place in the list, or as near as there is one."""
        before, self.cursor = self.cursor, max(0, min(place, len(self.shots) - 1))
        if self.cursor != before:
            self.draw()
            self.post_message(RunSelected(self.selected))

    def action_cursor_down(self) -> None:
        self.move(self.cursor + 1)

    def action_cursor_up(self) -> None:
        self.move(self.cursor - 1)

    def action_cursor_first(self) -> None:
        self.move(0)

    def action_cursor_last(self) -> None:
        self.move(len(self.shots) - 1)

    def action_page(self, pages: int) -> None:
        self.move(self.cursor + pages * self.page)

    def action_mark(self) -> None:
        """Mark the run or take its mark away, and go on to the next one."""
        if self.selected is not None:
            self.marked ^= {self.selected}
            self.post_message(MarksChanged())
            self.draw()
            self.move(self.cursor + 1)

    def action_open(self) -> None:
        if self.selected is not None:
            self.post_message(self.Opened())

    def action_sort(self) -> None:
        self.post_message(self.Sorted())

    def on_resize(self) -> None:
        self.draw()

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(self.cursor + 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(self.cursor - 1)

    def on_click(self, event: events.Click) -> None:
        place = self.top + event.y - self._heading
        if self._heading <= event.y and place < len(self.shots):
            self.move(place)
            if event.chain == 2:
                self.action_open()


class FilterLine(Input):
    """Where the filter is typed; escape takes it away, enter keeps it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "cancel", "No filter")]

    class Left(Message):
        """Done with typing."""

    def action_cancel(self) -> None:
        self.value = ""
        self.post_message(self.Left())

    async def action_submit(self) -> None:
        self.post_message(self.Left())


class RunList(Pane):
    """Selects the run that the other panes show (RunSelected); `filter` and `sort` choose what is listed."""

    number = 1
    title = "Runs"
    context = "runs"

    DEFAULT_CSS = """
    RunList > RunRows { height: 1fr; margin: 1; }
    RunList > FilterLine { height: 1; border: none; padding: 0; margin: 0 1 1 1; background: $surface; display: none; }
    RunList.-filtering > RunRows { margin: 1 1 0 1; }
    RunList.-filtering > FilterLine { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows = RunRows()
        self.typed = FilterLine(placeholder="words, state:live, stage:online, ret>2000, tag:x", compact=True)
        self.filter = Filter()
        self.wrong = ""
        self.sort = SORTS[0]
        self._shots: Mapping[str, Snapshot] = {}
        self._tags: Mapping[str, Sequence[str]] = {}
        self._nothing: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        yield self.rows
        yield self.typed

    def list_runs(
        self,
        shots: Mapping[str, Snapshot],
        tags: Mapping[str, Sequence[str]],
        selected: str | None,
        ascii: bool = False,
        nothing: Sequence[str] = (),
    ) -> None:
        """Show the runs as they are now; `tags` by run; `nothing` is said of a folder without any."""
        self._shots, self._tags, self._nothing = shots, tags, tuple(nothing)
        self.rows.ascii = ascii
        self.rows.marked &= set(shots)
        self._list(selected)

    def _list(self, selected: str | None) -> None:
        before = self.rows.selected
        chosen = [shot for shot in self._shots.values() if self.filter(shot, self._tags.get(shot.id, ()))]
        self.rows.nothing = ("no run meets the filter", "esc takes it away") if self._shots else self._nothing
        self.rows.fill(ordered(chosen, self.sort), selected)
        self._tell()
        if self.rows.selected != selected or (before is None and selected is None):
            self.post_message(RunSelected(self.rows.selected))

    def _tell(self) -> None:
        listed, every = len(self.rows.shots), len(self._shots)
        first, page = self.rows.top + 1, self.rows.page
        shown = f"{listed} of {every}" if listed < every else f"{listed}"
        if listed > page:
            shown = f"{first}–{min(listed, first + page - 1)} of {shown}"
        if self.wrong:
            right: Line = ((self.wrong, "bad"),)
        elif self.filter.text:
            right = ((f"/ {self.filter.text}", "info"),)
        else:
            right = ((f"by {self.sort}", "dim"),)
        self.caption(((self.title, ""), (f" {shown}", "dim")), right)

    def on_run_selected(self) -> None:
        self._tell()

    def on_resize(self) -> None:
        self._tell()

    def on_run_rows_sorted(self) -> None:
        """The next order."""
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
        self._list(self.rows.selected)

    def ask_filter(self) -> None:
        """Type a filter."""
        self.add_class("-filtering")
        self.typed.value = self.filter.text
        self.typed.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self.has_class("-filtering"):
            return
        try:
            self.filter, self.wrong = parse(event.value), ""
        except BadFilter as error:
            self.filter, self.wrong = Filter(), str(error)
        self._list(self.rows.selected)

    def on_filter_line_left(self) -> None:
        self.rows.focus()
        self.remove_class("-filtering")
        self.wrong = ""
        self._tell()

    def back(self) -> bool:
        """Take the filter away; False if there is none."""
        if not self.filter.text:
            return False
        self.filter = Filter()
        self._list(self.rows.selected)
        return True
