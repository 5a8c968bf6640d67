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

from moore_tui.keys import bindings
from moore_tui.messages import Action
from moore_tui.runs import draft as drafts
from moore_tui.runs import outlook as outlooks
from moore_tui.runs.draft import Draft
from moore_tui.runs.inquiry import Inquiry
from moore_tui.screens import launch_questions as questions
from moore_tui.screens.dialogs import Confirm
from moore_tui.screens.frame import Framed
from moore_tui.screens.launch_findings import Findings, blamed
from moore_tui.widgets import launch_rows as lines
from moore_tui.widgets.launch_form import LaunchForm
from moore_tui.widgets.schedule_preview import SchedulePreview
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
    LaunchScreen .box { border: solid $foreground 30%; border-title-color: $foreground; }
    LaunchScreen .box:focus-within { border: solid $border; }
    LaunchScreen.-ascii .box { border: ascii $foreground 30%; }
    LaunchScreen.-ascii .box:focus-within { border: ascii $border; }
    LaunchScreen .box.-folded { border: none; }
    LaunchScreen #launch-foot { height: 2; }
    LaunchScreen #launch-start { min-width: 9; width: 9; height: 1; margin: 0 1; }
    LaunchScreen #launch-said { width: 1fr; height: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("launch"))
    AUTO_FOCUS = "#launch-choices"
    zooms = False

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
        folder = self.console.options.runs_dir
        self.form.titles = (f"New run in {folder}", f"New run in …/{folder.name}", "New run")
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
    def findings(self) -> Findings:
        return Findings(self.draft, self.outlook, self.inquiry, self._looking)

    def change(self, draft: Draft) -> None:
        """Show another draft."""
        self.draft, self.refused = draft, ""
        self.show_draft()

    def show_draft(self) -> None:
        """Look at the draft and show what it gives; the engine is asked a little later, if that is worth it."""
        outlook = self.outlook = outlooks.look(self.draft, self.console.options.runs_dir)
        found = self.findings.found
        refusal = self.refused or (found.problem if found else "")
        if refusal and not outlook.problems:
            self.outlook = replace(outlook, problems={blamed(refusal, outlook): refusal})
        if self._soon:
            self._soon.stop()
        if self.findings.unknown:
            self._soon = self.set_timer(PATIENCE_S, self.ask_engine)
        self.paint()

    def ask_engine(self) -> None:
        """Have the data set, the task and the device looked at, in a thread; one look at a time."""
        config, trust = self.outlook.config, self.draft.trust
        if self._looking or config is None or not self.findings.unknown:
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
        findings = self.findings
        self.form.show(self.draft, self.outlook, {name: findings.told(name) for name in lines.LABELS})
        pane = self.query_one(SchedulePreview)
        pane.show(findings.preview())
        pane.fold(self.form.short and self.form.in_settings)
        self.set_class(self.form.in_settings, "-settings")
        self._say()

    def _say(self) -> None:
        """What is going on, or what the findings say."""
        text, style = (self.launching, "info") if self.launching else self.findings.said()
        sheet = self.query_one("#launch-said", Sheet)
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
        elif answer == questions.PATH and name == drafts.DATA:
            self.app.push_screen(questions.path_question(self.draft), lambda file: self._answered(name, file))
        elif answer is not None:
            none = {drafts.PROFILE: questions.NONE, drafts.ALGO: questions.OWN, drafts.DATA: questions.OWN}
            self.change(self.draft.change(name, "" if none.get(name) == answer else answer))

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
            self.started = action.run_id
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
