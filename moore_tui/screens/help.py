"""Help on the pane with the focus: what it shows, and every key that is valid there now, by its present name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from moore_tui.keys import CONTEXTS, KEYS, PANES
from moore_tui.widgets.pane import Pane
from moore_tui.widgets.states import GLYPHS

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole

ABOUT = {
    "runs": "Every run of the folder, its state in words. A request shows as pending until the trainer has answered; "
    "what is marked is drawn over the run under the cursor and steered with it.",
    "charts": "Offline in grey, then the online stage in the run's colour; the mark ┊ is the switch and stands at the "
    "same x in every chart. Bands and dashes tell series apart without colour.",
    "log": "What the trainer printed, with evaluations, checkpoints and answers to requests in between.",
    "compare": "The marked runs over one another, aligned at the switch; runs that differ in seed only are one group.",
    "launch": "A run in the making: every value can be edited, what is wrong is told as it is typed.",
    "logs": "The log on the whole screen.",
    "anywhere": "The console only reads files, writes requests, and starts or stops processes. Leaving it ends no run.",
}
"""What a context is about, for panes that have no text of their own (`HELP`)."""

MEANING = {
    "starting": "started, has not spoken yet",
    "live": "at work, keeps its promise to beat",
    "paused": "waits in memory; p goes on",
    "stalled": "alive, but silent for longer than promised",
    "restarting": "crashed; its keeper starts it again",
    "done": "all its work is done; E extends it",
    "interrupted": "stopped or killed; r goes on from its checkpoint",
    "crashed": "failed, and nobody starts it again unasked; r does",
    "lost": "on another host, if at all, and silent",
}


class HelpScreen(ModalScreen[None]):
    """Over `shown`; escape, q or ? leaves it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen #help-box {
        width: 90; max-width: 100%; height: auto; max-height: 100%;
        border: solid $primary; padding: 0 1; background: $surface;
    }
    HelpScreen VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    HelpScreen Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "leave", show=False),
        Binding("j", "scroll(1)", "down", show=False),
        Binding("k", "scroll(-1)", "up", show=False),
    ]
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, shown: Screen[Any]) -> None:
        super().__init__()
        self._shown = shown

    def compose(self) -> ComposeResult:
        pane, context = focus_of(self._shown)
        with Vertical(id="help-box") as box:
            box.border_title = Content(f"Help · {pane.title if pane else context}")
            with VerticalScroll():
                yield Static(self._text(pane, context))

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def _text(self, pane: Pane | None, context: str) -> Text:
        console = cast("MooreConsole", self.app)
        text = Text(getattr(pane, "HELP", "") or ABOUT.get(context, ""))
        for section, rows in sections(self._shown, console):
            text.append(f"\n\n{CONTEXTS[section]}", "bold")
            for keys, description, name in rows:
                text.append(f"\n  {keys:<12}", "bold").append(description).append(f"  {name}", "dim")
        if context == "runs":
            text.append("\n\nstates", "bold")
            for state, meaning in MEANING.items():
                text.append(f"\n  {GLYPHS[state]} {state:<12}").append(meaning)
        where = console.settings.path or "settings.toml"
        text.append(f'\n\nAny key can be another one: [keys] in {where}, such as "runs.mark" = "m".', "dim")
        return text


def focus_of(screen: Screen[Any]) -> tuple[Pane | None, str]:
    """(the pane with the focus, the context of its keys); the screen's own context where no pane has it."""
    if screen.focused is not None:
        for each in screen.focused.ancestors_with_self:
            if isinstance(each, Pane):
                return each, each.context
    found = {str(active.binding.id).partition(".")[0] for active in screen.active_bindings.values()}
    return None, next((context for context in PANES if context in found), "anywhere")


def sections(screen: Screen[Any], console: MooreConsole) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """(context, its (keys, description, binding id)) of what is valid now, the pane's own first."""
    shown: dict[str, list[str]] = {}
    for active in screen.active_bindings.values():
        if active.enabled and active.binding.id:
            shown.setdefault(active.binding.id, []).append(console.get_key_display(active.binding))
    for context in (*PANES, "control", "replay", "anywhere"):
        rows = [
            (" ".join(shown[key.id]), key.description, key.id)
            for key in KEYS
            if key.context == context and key.id in shown
        ]
        if rows:
            yield context, rows
