"""The console: a Textual application over the runs folder. It only reads files, posts requests, and starts runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.reactive import reactive
from textual.screen import Screen

from moore_tui.actions import Actions
from moore_tui.keys import bindings
from moore_tui.launchers import Launcher
from moore_tui.messages import ActionChanged, FactsChanged
from moore_tui.options import Options
from moore_tui.screens.frame import Framed
from moore_tui.settings import Settings
from moore_tui.watcher import Watcher
from moore_tui.widgets.top_line import TopLine

if TYPE_CHECKING:
    from moore_tui.runs.feed import Facts
    from moore_tui.widgets.curve_plot import ChartView


class MooreConsole(App[int]):
    """`feed` is made from the options if none is given; `launcher` replaces the one that starts runs (tests)."""

    CSS_PATH = "app.tcss"
    TITLE = "moore-console"
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("anywhere"))

    selected: reactive[str | None] = reactive(None, bindings=True)
    """Id of the run that the panes show."""

    def __init__(
        self,
        options: Options,
        settings: Settings | None = None,
        feed: Facts | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        super().__init__()
        from moore_tui.widgets.curve_plot import ChartView

        self.options, self.settings = options, settings or Settings()
        self.feed: Facts = feed or _feed(options)
        self.actions = Actions(self, options.runs_dir, launcher=launcher, readonly=options.readonly)
        self.marked: set[str] = set()
        self.chart: ChartView = ChartView()
        self.ascii = options.ascii
        self.set_keymap(dict(self.settings.keymap))
        self.watcher: Watcher | None = None
        if options.hz > 0:
            self.watcher = Watcher(self.feed, self._facts, hz=options.hz, slow_link=options.slow_link)

    def get_default_screen(self) -> Screen[Any]:
        from moore_tui.screens.watch import WatchScreen

        return WatchScreen()

    def on_mount(self) -> None:
        if self.watcher:
            self.watcher.start()

    def refresh_facts(self) -> None:
        """Look now and show what there is (without a watcher: options.hz 0)."""
        self.feed.poll(budget_s=60.0)
        self._show_facts()

    def _facts(self) -> None:
        self.post_message(FactsChanged())

    def on_facts_changed(self) -> None:
        self._show_facts()

    def on_action_changed(self, message: ActionChanged) -> None:
        if screen := self.framed:
            screen.action_changed(message.action)

    @property
    def framed(self) -> Framed | None:
        """The uppermost screen that is no dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Framed)), None)

    def _show_facts(self) -> None:
        screen = self.framed
        if screen is None or not screen.is_mounted:
            return
        screen.query_one(TopLine).tell(shot.state for shot in self.feed.snapshots.values())
        screen.facts_changed()

    def action_leave(self) -> None:
        self.exit(0)


def open_console(options: Options | None = None) -> int:
    """Open the console on this terminal; its exit code."""
    from moore_tui import settings
    from moore_tui.runs.store import runs_folder

    options = options or Options(runs_folder())
    app = MooreConsole(options, settings.load())
    return int(app.run(mouse=options.mouse) or 0)


def _feed(options: Options) -> Facts:
    from moore_tui.runs.feed import Feed

    return Feed(options.runs_dir)
