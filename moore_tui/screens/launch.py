"""The launch screen: choose what a run is made of, see what that gives before it exists, start it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button

from moore_engine.config import Config
from moore_tui.keys import bindings
from moore_tui.messages import Action
from moore_tui.runs import draft as drafts
from moore_tui.runs import outlook as outlooks
from moore_tui.runs.draft import Draft
from moore_tui.runs.inquiry import Found, Inquiry
from moore_tui.runs.schedule import preview
from moore_tui.screens import launch_questions as questions
from moore_tui.screens.dialogs import Confirm
from moore_tui.screens.frame import Framed
from moore_tui.widgets import launch_rows as lines
from moore_tui.widgets.figures import number, span
from moore_tui.widgets.launch_form import LaunchForm
from moore_tui.widgets.schedule_preview import Preview, SchedulePreview
from moore_tui.widgets.sheet import Sheet, wrapped

PATIENCE_S = 0.4
"""Without a change, before the engine is asked about what was chosen."""
WIDE, TALL = 100, 34
"""Columns from which the preview stands beside the form, and rows from which nothing needs folding without that."""


class LaunchScreen(Framed):
    """`draft` is what it opens with: a preset, a copy of a run (`draft.copy`), a branch of one (`draft.branch`)."""

    DEFAULT_CSS = """
    LaunchScreen #launch-panes { height: 1fr; layout: vertical; }
    LaunchScreen.-wide #launch-panes { layout: horizontal; }
    LaunchScreen.-wide LaunchForm { width: 60%; }
    LaunchScreen.-short LaunchForm { height: auto; }
    LaunchScreen.-short.-settings LaunchForm { height: 1fr; }
    LaunchScreen .box { border: round $border-blurred; border-title-color: $foreground; }
    LaunchScreen .box:focus-within { border: round $border; }
    LaunchScreen.-ascii .box { border: ascii $border-blurred; }
    LaunchScreen.-ascii .box:focus-within { border: ascii $border; }
    LaunchScreen .box.-folded { border: none; }
    LaunchScreen #launch-foot { height: 2; }
    LaunchScreen #launch-start { min-width: 9; width: 9; height: 1; margin: 0 1; }
    LaunchScreen #launch-said { width: 1fr; height: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("launch"))
    AUTO_FOCUS = "#launch-choices"

    class Looked(Message):
        """The engine has answered; `over` if nothing more is being asked."""

        def __init__(self, over: bool) -> None:
            super().__init__()
            self.over = over

    def __init__(self, draft: Draft | None = None) -> None:
        super().__init__()
        self.draft = self._opened_with = draft or Draft()
        self.inquiry = Inquiry()
        self.outlook = outlooks.Outlook({}, {}, {})
        self.launching = ""
        self.refused = ""
        self.started = ""
        self._looking = False
        self._soon: Timer | None = None

    def body(self) -> ComposeResult:
        with Container(id="launch-panes"):
            yield LaunchForm()
            yield SchedulePreview(id="launch-preview", classes="box")
        with Horizontal(id="launch-foot"):
            yield Button("Start", id="launch-start", compact=True, variant="primary")
            yield Sheet(id="launch-said")

    def on_mount(self) -> None:
        self.set_class(self.console.ascii, "-ascii")
        self.form.ascii = self.console.ascii
        self.form.title = f"New run in {self.console.options.runs_dir}"
        self.show_draft()

    def on_unmount(self) -> None:
        self.inquiry.close()

    def on_resize(self) -> None:
        self.set_class(self.size.width >= WIDE, "-wide")
        self.form.short = self.size.width < WIDE and self.size.height < TALL
        self.set_class(self.form.short, "-short")
        self.paint()

    @property
    def form(self) -> LaunchForm:
        return self.query_one(LaunchForm)

    @property
    def found(self) -> Found | None:
        """What the engine says of all this, if it was asked."""
        return self.inquiry.known(self.outlook.config, self.draft.trust) if self.outlook.config else None

    def change(self, draft: Draft) -> None:
        """Show another draft."""
        self.draft, self.refused = draft, ""
        self.show_draft()

    def show_draft(self) -> None:
        """Look at the draft and show what it gives; the engine is asked a little later, if that is worth it."""
        outlook = outlooks.look(self.draft, self.console.options.runs_dir)
        self.outlook = outlook
        refusal = self.refused or (self.found.problem if self.found else "")
        if refusal and not outlook.problems:
            self.outlook = replace(outlook, problems={blamed(refusal, outlook): refusal})
        if self._soon:
            self._soon.stop()
        if self._unknown:
            self._soon = self.set_timer(PATIENCE_S, self.ask_engine)
        self.paint()

    @property
    def _unknown(self) -> bool:
        """There is something to ask the engine."""
        return self.found is None and self.outlook.config is not None and not self.outlook.problems

    def ask_engine(self) -> None:
        """Have the data set, the task and the device looked at, in a thread; one look at a time."""
        config, trust = self.outlook.config, self.draft.trust
        if self._looking or config is None or not self._unknown:
            return
        self._looking = True

        def ask() -> None:
            refused = self.inquiry.ask(config, trust).problem
            self.post_message(self.Looked(over=False))
            if not refused and not self.inquiry.measured(config):
                self.inquiry.measure(config, trust)
            self.post_message(self.Looked(over=True))

        self.run_worker(ask, thread=True, group="look", exit_on_error=False)
        self.paint()

    @on(Looked)
    def looked(self, message: Looked) -> None:
        self._looking = not message.over
        self.show_draft()

    def paint(self) -> None:
        """Show everything as it is now."""
        if not self.outlook.values:
            return
        self.form.show(self.draft, self.outlook, {name: self._told(name) for name in lines.LABELS})
        pane = self.query_one(SchedulePreview)
        pane.show(self._preview())
        pane.fold(self.form.short and self.form.in_settings)
        self.set_class(self.form.in_settings, "-settings")
        self._say()

    def _told(self, name: str) -> str:
        """What there is to say about a choice."""
        found = self.found
        if name == drafts.SOURCE:
            return dict(outlooks.presets()).get(self.draft.source, "")
        if name == drafts.DATA:
            if found is None or found.problem:
                return "being looked at ..." if self._looking else ""
            return f"{found.rows:,} rows".replace(",", " ")
        if name == drafts.SEED and len(self.outlook.seeds) > 1:
            return f"{len(self.outlook.seeds)} runs"
        return "a free name" if name == drafts.NAME and not self.draft.name else ""

    def _preview(self) -> Preview:
        """What is known now of what the run will do."""
        config, found = self.outlook.config, self.found
        if config is None:
            return Preview(why_none="nothing to see before the settings fit together")
        facts: list[tuple[str, str]] = []
        if found and not found.problem:
            facts += [("time", self._time(config)), ("disk", f"up to {number(found.disk_mb)} MB{self._each}")]
        warnings = (*self.outlook.warnings, *(found.warnings if found else ()))
        online = config.online
        rows = self.inquiry.rows(config)
        if config.run.algo != "moore" or not online.epochs:
            return Preview(
                None, f"{config.run.algo} has no online stage here, so no priority schedule", tuple(facts), warnings
            )
        if rows is None:
            why = "the number of rows is not known yet" if self._looking or self._unknown else "no data set was read"
            return Preview(None, f"the priority schedule follows once the data set was read: {why}", (), warnings)
        schedule = preview(rows, online.steps_per_epoch, online.epochs, online.alpha, online.sampler)
        why = "" if schedule else f"the schedule of sampler {online.sampler} depends on the rows themselves"
        return Preview(schedule, why, tuple(facts), warnings)

    def _time(self, config: Config) -> str:
        """How long it takes, as far as that is known."""
        seconds = self.inquiry.seconds(config)
        if seconds is not None:
            return f"about {span(seconds)}{self._each}, as fast as this machine is now"
        return "not known" if self.inquiry.measured(config) else "being measured ..."

    @property
    def _each(self) -> str:
        return " for each run" if len(self.outlook.seeds) > 1 else ""

    def _say(self) -> None:
        """What is going on, what is wrong first, or what is to be done next."""
        sheet, problems, found = self.query_one("#launch-said", Sheet), self.outlook.problems, self.found
        if self.launching:
            text, style = self.launching, "info"
        elif problems:
            name, text = next(iter(problems.items()))
            text, style = text if name in text else f"{lines.LABELS.get(name, name)}: {text}", "bad"
        elif found is None:
            text, style = "looking at data, task and device ...", "dim"
        elif warnings := [*self.outlook.warnings, *found.warnings]:
            text, style = f"ready, with {len(warnings)} remarks: {warnings[0]}", "warn"
        else:
            text, style = f"ready: ctrl+s starts {lines.several(self.outlook.names)}", "good"
        sheet.put([((line, style),) for line in wrapped(text, max(1, sheet.size.width))[:2]])

    def on_descendant_focus(self) -> None:
        self.paint()

    @on(LaunchForm.Edit)
    def action_edit(self) -> None:
        """Ask for the value under the cursor."""
        name = self.form.current
        if name:
            asked = questions.question(name, self.draft, self.outlook, self.console.options.runs_dir)
            self.app.push_screen(asked, lambda answer: self._answered(name, answer))

    def _answered(self, name: str, answer: str | None) -> None:
        if answer == questions.FILE and name == drafts.SOURCE:
            self.app.push_screen(questions.file_question(self.draft), lambda file: self._answered(name, file))
        elif answer is not None:
            none = name == drafts.PROFILE and answer == questions.NONE
            self.change(self.draft.change(name, "" if none else answer))

    def action_reset(self) -> None:
        """The value under the cursor as the preset or file has it."""
        self.change(self.draft.reset(self.form.current))

    def action_filter(self) -> None:
        self.form.start_filter()

    def action_only_changed(self) -> None:
        self.form.toggle_changed()

    @on(Button.Pressed)
    def action_start(self) -> None:
        """Start what was chosen, unless something is wrong with it."""
        if self.launching:
            return
        self.refused = ""
        self.inquiry.forget()
        self.show_draft()
        if self.outlook.problems:
            self.form.go_to(next(iter(self.outlook.problems)))
            self.app.bell()
            return
        self.launching = "checking data, task and device ..."
        self._say()
        self.console.actions.launch(self.draft.wish())

    def action_changed(self, action: Action) -> None:
        """How the launch goes; once the run is there, go and watch it."""
        if action.verb != "launch" or not self.launching:
            return
        if action.state == "pending":
            self.launching = action.text
            self._say()
        elif action.state == "done":
            self.launching = action.text
            self._say()
            self.started = self.outlook.names[0]
            self.facts_changed()
        else:
            self.launching = ""
            self.refused = action.text
            self.show_draft()
            self.form.go_to(next(iter(self.outlook.problems), drafts.SOURCE))

    def answer_to(self, action: Action) -> None:
        """A launch is told beside the button."""
        if action.verb != "launch":
            super().answer_to(action)

    def facts_changed(self) -> None:
        """Leave for the run that was started, as soon as the console knows it."""
        if self.started and self.started in self.console.feed.snapshots:
            console, started, text = self.console, self.started, self.launching
            self.app.pop_screen()
            console.select(started)
            console.answer(text)

    def close_layer(self) -> bool:
        """The filter, then the screen; what was changed here is not thrown away without a question."""
        if super().close_layer() or self.form.end_filter():
            return True
        if self.draft == self._opened_with or self.launching:
            return False
        asked = Confirm("Leave without starting?", "What was changed here is forgotten.")
        self.app.push_screen(asked, self._leave)
        return True

    def _leave(self, sure: bool | None) -> None:
        if sure:
            self.app.pop_screen()

    def copied(self) -> str:
        """The command line that starts the same."""
        return "" if self.outlook.problems else self.draft.command()

    def go_to(self, number: int) -> None:
        """1 are the choices, 2 the settings."""
        if number in (1, 2):
            (self.form.choices if number == 1 else self.form.settings).focus()


def blamed(sentence: str, outlook: outlooks.Outlook) -> str:
    """The choice or key that a refusal is about."""
    if "--trust-code" in sentence:
        return drafts.TRUST
    named = next((key for key in outlook.values if key in sentence), None)
    return named or ("data.task" if sentence.startswith(("task", "unknown task")) else drafts.DATA)
