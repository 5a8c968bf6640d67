"""The console: a Textual application over the runs folder. It only reads files, posts requests, and starts runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.reactive import reactive
from textual.screen import Screen

from moore_tui import colours, crash
from moore_tui.actions import Actions
from moore_tui.headless.diagnostics import debugging
from moore_tui.keys import bindings
from moore_tui.launchers import Launcher
from moore_tui.machine import Gauge
from moore_tui.messages import ActionChanged, FactsChanged, MarksChanged, RunSelected
from moore_tui.options import Options, feed_for
from moore_tui.palette import Palette
from moore_tui.player import Player
from moore_tui.runs.feed import Facts
from moore_tui.screens.frame import Framed
from moore_tui.settings import Settings
from moore_tui.steering import Steering
from moore_tui.watcher import Watcher
from moore_tui.widgets.chart_view import ChartView
from moore_tui.widgets.command_line import CommandLine

if TYPE_CHECKING:
    from moore_tui.runs.draft import Draft

CHANGING = ("new_run", "duplicate", "tag", "note")
"""Actions, beside steering, that a read-only console does not offer."""
BLANK_S = 0.4
"""Longest time from the start without anything painted; runs and first curve come within it, or long after."""


class MooreConsole(App[int]):
    """`feed` is made from the options if none is given; `launcher` replaces the one that starts runs (tests)."""

    CSS_PATH = "app.tcss"
    TITLE = "moore-console"
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("anywhere", "replay"))

    selected: reactive[str | None] = reactive(None, init=False)
    """Id of the run that the panes show."""

    def __init__(
        self,
        options: Options,
        settings: Settings | None = None,
        feed: Facts | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        super().__init__()
        self.options, self.settings = options, settings or Settings()
        self.feed = feed or feed_for(options)
        self.ascii = options.ascii
        self.marked: set[str] = set()
        self.chart = ChartView()
        self.watcher: Watcher | None = None
        if options.hz > 0:
            self.watcher = Watcher(
                self.feed, self._found, hz=options.hz, slow_link=options.slow_link, broken=self._broken
            )
        self.actions = Actions(
            self,
            self.feed.runs_dir,
            readonly=options.readonly or bool(options.replay),
            launcher=launcher,
            after=self.nudge,
        )
        self.steering, self.player, self.palette = Steering(self), Player(self), Palette(self)
        self.gauge = Gauge()
        self.opening = options.hz > 0
        self.prepared = not self.opening
        self._looked = self._untold = False
        self._wanted = options.attach
        self._errors: set[str] = set()
        self.theme = colours.theme(self, self.settings.theme)
        self._filters_used = colours.filters(self, options.ascii)
        if self.settings.keymap:
            self.set_keymap(dict(self.settings.keymap))
        if options.slow_link:
            self.animation_level = "none"

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda _: self._keep_theme())
        if self.watcher:
            self.watcher.start()
            self.set_timer(BLANK_S, self._opened)

    def on_unmount(self) -> None:
        if self.watcher:
            self.watcher.stop()
        self.gauge.close()

    def get_default_screen(self) -> Screen[Any]:
        from moore_tui.screens.watch import WatchScreen

        return WatchScreen()

    def refresh_facts(self) -> None:
        """Look now and show all there is; for a console without a watcher (options.hz is 0).

        The screen asks for curves when it has seen the runs, so that a second look brings them.
        """
        self.feed.poll(budget_s=60.0)
        self._looked = True
        self.show_facts()
        if self.feed.poll(budget_s=60.0):
            self.show_facts()

    def _found(self) -> None:
        """In the watcher's thread: something changed. One message waits at a time, however long it waits."""
        self.gauge.look()
        if not self._untold:
            self._untold = True
            self.post_message(FactsChanged())

    def _broken(self, error: Exception) -> None:
        """In the watcher's thread: the feed broke; told once for each kind of error."""
        if repr(error) not in self._errors:
            self._errors.add(repr(error))
            self.call_later(self.answer, f"the runs cannot be read: {error!r}", "refused")

    def pane_broke(self, title: str, error: Exception) -> None:
        """A pane could not show a run; told once for each kind of error."""
        if debugging():
            raise error
        if repr(error) not in self._errors:
            self._errors.add(repr(error))
            self.answer(f"{title} cannot show this run: {crash.named(error)}; {crash.kept(error)}", "refused")

    def on_facts_changed(self) -> None:
        self._looked, self._untold = True, False
        self.show_facts()
        series = self.feed.series(self.selected or "")
        if self.opening and (not self.feed.snapshots or (series is not None and series.loaded >= 1.0)):
            self._opened()

    def _opened(self) -> None:
        """There is something to see, or it takes too long: paint from now on."""
        if self.opening:
            self.opening = False
            self.screen.refresh()
            self.screen.call_after_refresh(self._painted)

    def _painted(self) -> None:
        """The charts stand: now comes all that they did not wait for."""
        self.feed.near = None
        self.nudge()
        self.run_worker(self._prepare, thread=True)
        gc.freeze()
        gc.enable()

    def _prepare(self) -> None:
        """In a thread: load what reads configurations, for which the first screen does not wait; then show them."""
        from moore_tui.runs import lineage  # noqa: F401

        self.prepared = True
        self.call_later(self.show_facts)

    def show_facts(self) -> None:
        """Have the uppermost screen that is no dialog show what the feed holds now; nothing before the first look."""
        screen = self.framed
        if screen is not None and self._looked:
            if self._wanted in self.feed.snapshots:
                self.selected, self._wanted = self._wanted, None
            note = self.player.note() or self.feed.trouble or ("read-only" if self.options.readonly else "")
            screen.top(self.feed.snapshots, self.gauge.machine, note)
            screen.facts_changed()
            screen.keys_changed()

    def nudge(self) -> None:
        """Look again at once."""
        if self.watcher:
            self.watcher.nudge()

    @property
    def framed(self) -> Framed | None:
        """The uppermost screen that is no dialog, once it stands."""
        screen = next((each for each in reversed(self.screen_stack) if isinstance(each, Framed)), None)
        return screen if screen and screen.stands else None

    def on_app_blur(self) -> None:
        if self.watcher:
            self.watcher.focus(False)

    def on_app_focus(self) -> None:
        if self.watcher:
            self.watcher.focus(True)

    def select(self, run_id: str) -> None:
        """Put the cursor on a run, from outside its list."""
        self.selected = run_id
        self.show_facts()

    def on_run_selected(self, message: RunSelected) -> None:
        self.selected = message.run_id

    def watch_selected(self) -> None:
        if screen := self.framed:
            screen.keys_changed()

    def on_marks_changed(self, message: MarksChanged) -> None:
        if screen := self.framed:
            screen.keys_changed()

    def on_action_changed(self, message: ActionChanged) -> None:
        if message.action.verb == "delete" and message.action.state == "done":
            self.marked.discard(message.action.run_id)
        if screen := self.framed:
            screen.answer_to(message.action)
            screen.action_changed(message.action)

    def answer(self, text: str, state: str = "done") -> None:
        """One line above the keys; `state` is one of an action's."""
        if screen := self.framed:
            screen.answer(text, state)

    def action_steer(self, verb: str) -> None:
        if verb == "pause" and self.player.replay:
            self.player.hold()
        else:
            self.ask(self.steering.steer(verb))

    def ask(self, asking: Awaitable[None]) -> None:
        """Go on with questions while everything else goes on too."""
        self.run_worker(asking, group="asking", exclusive=False)

    def offers(self, binding: Binding) -> bool:
        """Whether the footer should show a key: it would do something now."""
        name, _, argument = binding.action.removeprefix("app.").partition("(")
        if name == "steer":
            verb = argument.strip("')\"")
            return verb == "pause" if self.player.replay else self.steering.can(verb)
        if name in CHANGING and self.actions.readonly:
            return False
        if name == "maximise":
            return self.framed is not None and self.framed.zooms
        return name != "compare" or len(self.marked) > 1

    def label(self, binding: Binding) -> str:
        """What the footer says of a key."""
        if binding.id == "control.pause":
            all_paused = all(shot.state == "paused" for shot in self.steering.targets)
            return "go on" if self.player.held or (all_paused and not self.player.replay) else "pause"
        return binding.description

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.player.replay is not None if action == "seek" else True

    def action_seek(self, by: float) -> None:
        self.player.move(by)

    def action_leave(self) -> None:
        self.exit(0)

    async def action_back(self) -> None:
        """Out one layer: the answer, a maximised pane, a screen."""
        screen = self.framed
        if screen is None or screen.close_layer():
            return
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def action_new_run(self) -> None:
        self.open_launch(None)

    def action_duplicate(self) -> None:
        self.steering.duplicate()

    def open_launch(self, draft: Draft | None) -> None:
        """The launch screen, with a run in the making or an empty one."""
        if self.actions.readonly:
            return self.answer("cannot start a run: this console is read-only", "refused")
        from moore_tui.screens.launch import LaunchScreen

        self.push_screen(LaunchScreen(draft))

    def action_compare(self) -> None:
        if len(self.marked) < 2:
            return self.answer("mark two runs or more with space, then compare them", "refused")
        from moore_tui.screens.compare import CompareScreen

        self.push_screen(CompareScreen())

    def action_logs(self) -> None:
        if not self.selected:
            return self.answer("no run is under the cursor, so there is no log", "refused")
        from moore_tui.screens.logs import LogsScreen

        self.push_screen(LogsScreen())

    def action_help(self) -> None:
        from moore_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))

    def action_tag(self) -> None:
        self.ask(self.steering.tag())

    def action_note(self) -> None:
        self.ask(self.steering.note())

    def action_pane(self, number: int) -> None:
        if screen := self.framed:
            screen.go_to(number)

    def action_maximise(self) -> None:
        if screen := self.framed:
            screen.maximise()

    def action_copy(self) -> None:
        """To the terminal's clipboard: what the focused pane offers, else the path of the run."""
        screen = self.framed
        text = screen.copied() if screen else ""
        if not text and self.selected:
            text = str((self.feed.runs_dir / self.selected).resolve())
        if text:
            self.copy_to_clipboard(text)
            self.answer(f"copied {text if len(text) < 60 else text[:57] + '...'}")

    def action_command(self) -> None:
        self.palette.open()

    def on_command_line_entered(self, message: CommandLine.Entered) -> None:
        if message.text:
            self.palette.do(message.text)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return self.palette.listed()

    def action_help_quit(self) -> None:
        self.answer("q leaves the console; the runs go on")

    def get_line_filters(self) -> list[LineFilter]:
        return self._filters_used

    def get_key_display(self, binding: Binding) -> str:
        return {"escape": "esc", "enter": "enter"}.get(binding.key) or super().get_key_display(binding)

    def _fatal_error(self) -> None:
        """Something nobody foresaw: end. `open_console` tells it; Textual's own traceback is for debugging."""
        if debugging():
            super()._fatal_error()
        else:
            self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        if debugging():
            super()._print_error_renderables()
        self._exit_renderables.clear()

    def _keep_theme(self) -> None:
        if self.no_color or self.theme == self.settings.theme:
            return
        try:
            self.settings.keep_theme(self.theme)
        except OSError as error:
            self.answer(f"the theme cannot be kept: {error.strerror}", "refused")


def open_console(options: Options | None = None, feed: Facts | None = None) -> int:
    """Open the console on this terminal; its exit code. Raises BadSettings before the screen opens."""
    from moore_tui import settings, terminal
    from moore_tui.runs.store import runs_folder

    options = options or Options(runs_folder())
    chosen = settings.load()
    app = MooreConsole(options, chosen, feed)
    settings.check_theme(chosen, app.available_themes)

    async def run() -> int | None:
        loop = asyncio.get_running_loop()
        with terminal.leaving(lambda: loop.call_soon_threadsafe(app.exit, 0)):
            return await app.run_async(mouse=options.mouse)

    try:
        code = asyncio.run(run())
    except Exception as error:
        if debugging():
            raise
        return crash.tell(error)
    finally:
        app.actions.finish(timeout=30.0)
    if app._exception and not debugging():
        return crash.tell(app._exception)
    return int(code if code is not None else app.return_code or 0)
