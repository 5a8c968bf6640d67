"""Pane 7: the run's log, with its levels, followed to the end or searched."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from moore_tui.runs.log_lines import ERROR, WARN
from moore_tui.widgets.log_view import LogView
from moore_tui.widgets.pane import Pane, RunView
from moore_tui.widgets.sheet import Line

if TYPE_CHECKING:
    from moore_tui.runs.logbook import LogBook


class SearchLine(Input):
    """Where the searched text is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "Out")]

    class Left(Message):
        """Done with typing."""

    def action_leave(self) -> None:
        self.post_message(self.Left())

    async def action_submit(self) -> None:
        self.post_message(self.Left())


class LogPane(Pane):
    """`search` opens the line to type in."""

    number = 7
    title = "Log"
    context = "log"
    HELP: ClassVar[str] = (
        "What the trainer and its keeper printed, and the events worth a line, with their levels. The end is followed "
        "until you move away; F follows again. / searches, n and N go from hit to hit, e from error to error."
    )

    DEFAULT_CSS = """
    LogPane > LogView { height: 1fr; margin: 1; }
    LogPane > SearchLine { height: 1; border: none; padding: 0; margin: 0 1 1 1; background: $surface; display: none; }
    LogPane.-searching > LogView { margin: 1 1 0 1; }
    LogPane.-searching > SearchLine { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.log_view = LogView()
        self.typed = SearchLine(placeholder="search the log", compact=True)
        self._run = ""

    def compose(self) -> ComposeResult:
        yield self.log_view
        yield self.typed

    def key(self, view: RunView) -> Hashable:
        return (view.snapshot.id, None if view.log is None else (view.log.version, view.log.more))

    def paint(self, view: RunView) -> None:
        self.show_log(view.snapshot.id, view.log)

    def show_log(self, run_id: str, book: LogBook | None) -> None:
        """The log of a run as it is now."""
        anew, self._run = run_id != self._run, run_id
        self.log_view.show(book, anew=anew, reading=book is None or book.more)
        self.tell()

    def clear(self) -> None:
        super().clear()
        self._run = ""
        self.log_view.show(None, anew=True)

    def tell(self) -> None:
        """Caption: which lines are shown, how many by level, and whether the end is followed."""
        view = self.log_view
        lines, warnings, errors = view.count()
        chosen = [f"attempt {view.rows.attempt}"] if view.rows.attempt else []
        chosen += {WARN: ["warnings and errors"], ERROR: ["errors"]}.get(view.rows.level, [])
        chosen += [f"/ {view.wanted}"] if view.wanted else []
        left: Line = ((self.title, ""), *((f" · {each}", "info") for each in chosen), (f" · {self._run}", "dim"))
        warn, bad = "warn" if warnings else "dim", "bad" if errors else "dim"
        if self.size.width < 70:
            return self.caption(left, ((f"{warnings} warn", warn), (f" {errors} err", bad)))
        state = "following" if view.following else "F follows"
        count = f"{lines:,} lines".replace(",", " ")
        self.caption(left, ((f"{state} · {count}", "dim"), (f" · {warnings} warn", warn), (f" · {errors} error", bad)))

    def search(self) -> None:
        """Type what to search for."""
        self.add_class("-searching")
        self.typed.focus()

    def back(self) -> bool:
        """Forget the search; False if there is none."""
        had = bool(self.log_view.wanted)
        self.log_view.find("")
        self.tell()
        return had

    def on_log_view_moved(self) -> None:
        self.tell()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.log_view.find(event.value)
        self.tell()

    def on_search_line_left(self) -> None:
        self.log_view.focus()
        self.remove_class("-searching")

    def on_resize(self) -> None:
        self.tell()

    def summary(self, view: RunView) -> str:
        if view.log is None:
            return "log"
        levels = [(view.log.count("warn"), "warn"), (view.log.count("error"), "err")]
        return " ".join(("log", *(f"{count} {name}" for count, name in levels if count)))
