"""What the launch screen says about a draft: beside each choice, in the preview, and what is to be done next."""

from __future__ import annotations

from dataclasses import dataclass

from moore_engine.config import Config
from moore_tui.runs import algorithms
from moore_tui.runs import draft as drafts
from moore_tui.runs import outlook as outlooks
from moore_tui.runs.draft import Draft
from moore_tui.runs.inquiry import Found, Inquiry
from moore_tui.runs.outlook import Outlook
from moore_tui.runs.schedule import preview
from moore_tui.widgets import launch_rows as lines
from moore_tui.widgets.figures import size, span
from moore_tui.widgets.schedule_preview import Preview
from moore_tui.widgets.sheet import Piece


@dataclass(frozen=True)
class Findings:
    """`looking` says that the engine is at work on it."""

    draft: Draft
    outlook: Outlook
    inquiry: Inquiry
    looking: bool = False

    @property
    def found(self) -> Found | None:
        """What the engine says of all this, if it was asked."""
        return self.inquiry.known(self.outlook.config, self.draft.trust) if self.outlook.config else None

    @property
    def unknown(self) -> bool:
        """There is something to ask the engine."""
        return self.found is None and self.outlook.config is not None and not self.outlook.problems

    def told(self, name: str) -> str:
        """What there is to say about a choice."""
        found = self.found
        if name == drafts.SOURCE:
            return dict(outlooks.presets()).get(self.draft.source, "")
        if name == drafts.ALGO:
            return dict(outlooks.algorithms()).get(self.draft.algo or self.outlook.values[name], "")
        if name == drafts.DATA and self._scratch:
            return "not used: it starts from scratch"
        if name == drafts.DATA:
            if found is None or found.problem:
                return "being looked at ..." if self.looking else ""
            return f"{found.rows:,} rows".replace(",", " ")
        if name == drafts.SEED and len(self.outlook.seeds) > 1:
            return f"{len(self.outlook.seeds)} runs"
        return "a free name" if name == drafts.NAME and not self.draft.name else ""

    def said(self) -> Piece:
        """What is wrong first, or what can be done next, and its style."""
        problems, found = self.outlook.problems, self.found
        if problems:
            name, text = next(iter(problems.items()))
            return (text if name in text else f"{lines.LABELS.get(name, name)}: {text}"), "bad"
        if found is None:
            return "looking at data, task and device ...", "dim"
        if warnings := self.warnings:
            more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
            return f"ready, but: {warnings[0]}{more}", "warn"
        return f"ready: ctrl+s starts {lines.several(self.outlook.names)}", "good"

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.outlook.warnings, *(self.found.warnings if self.found else ()))

    @property
    def _scratch(self) -> bool:
        """No rows of a data set have a part in it."""
        return "offline" not in algorithms.stages(self.outlook.values[drafts.ALGO])

    def preview(self) -> Preview:
        """What is known now of what the run will do."""
        config = self.outlook.config
        if config is None:
            return Preview(why_none="nothing to see before the settings fit together")
        online, rows, facts = config.online, self.inquiry.rows(config), self._facts(config)
        algo = config.run.algo
        law = algorithms.law(algo, online.sampler)
        if "online" not in algorithms.stages(algo) or not online.epochs:
            return Preview(None, f"{algo} without an online stage has no priority schedule", *facts)
        if "offline" not in algorithms.stages(algo):
            return Preview(None, f"{algo} starts from scratch: every row that it draws is an online one", *facts)
        if law == algorithms.RATIO:
            return Preview(None, f"{algo} draws rows by a {law} that it learns: no schedule is known before", *facts)
        if rows is None:
            why = "" if self.looking or self.unknown else ", and none was read"
            return Preview(None, f"the priority schedule depends on the number of rows in the data set{why}", *facts)
        schedule = preview(rows, online.steps_per_epoch, online.epochs, online.alpha, law)
        return Preview(schedule, "" if schedule else f"sampler {law} decides by the rows themselves", *facts)

    def _facts(self, config: Config) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Time and disk as far as they are known, and the warnings."""
        found, each = self.found, " for each run" if len(self.outlook.seeds) > 1 else ""
        if found is None or found.problem:
            return (), self.warnings
        seconds = self.inquiry.seconds(config)
        if seconds is not None:
            time = f"about {span(seconds)}{each}, as fast as this machine is now"
        else:
            time = "not known" if self.inquiry.measured(config) else "being measured ..."
        return (("time", time), ("disk", f"up to {size(found.disk_mb * 2**20)}{each}")), self.warnings


def blamed(sentence: str, outlook: Outlook) -> str:
    """The choice or key that a refusal is about."""
    if "--trust-code" in sentence:
        return drafts.TRUST
    named = next((key for key in outlook.values if key in sentence), None)
    return named or ("data.task" if sentence.startswith(("task", "unknown task")) else drafts.DATA)
