"""The report as one HTML page that needs nothing else: figures, what the groups came to, every run, definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moore_tui.report import markup
from moore_tui.report.figures import Drawn
from moore_tui.report.gather import RunFacts
from moore_tui.report.markup import Cell
from moore_tui.report.outcomes import MEASURES, Measure, Outcome
from moore_tui.report.provenance import source, versions
from moore_tui.report.statistics import LEVEL, REPLICATES, Estimate
from moore_tui.report.strata import Stratum
from moore_tui.report.summary import JUDGED, GroupRow, Summary

NONE = "–"
WHOLE = ("epochs_to_90", "steps_to_90")
"""Figures that are whole numbers of a run."""


@dataclass(frozen=True)
class Report:
    """Everything a page tells. `together` is over all strata, `notes` are about the report as a whole."""

    strata: Sequence[Stratum]
    summaries: Sequence[Summary]
    together: Summary | None
    figures: Sequence[Drawn]
    notes: Sequence[str]
    made_by: str

    @property
    def runs(self) -> list[RunFacts]:
        """Each run once, though it may be in several strata."""
        return list({run.path: run for stratum in self.strata for run in stratum.runs}.values())


def page(report: Report, images: Mapping[str, bytes]) -> str:
    """The document; `images` are the figures' PNG files by figure name."""
    tasks = ", ".join(dict.fromkeys(stratum.task for stratum in report.strata))
    sections = zip(report.strata, report.summaries, strict=True)
    parts = [
        f"<header><h1>{markup.text(tasks)}: what {_runs(len(report.runs))} came to</h1>",
        markup.paragraph(f"Made by {report.made_by} from the runs' own files.", "soft"),
        markup.listing(report.notes, "notes"),
        "</header>\n<main>",
        *_figures(report.figures, images),
        *(_stratum(f"s{place}", *each) for place, each in enumerate(sections, 1)),
        _together(report.together, report.runs) if report.together else "",
        _definitions(),
        "</main>",
    ]
    return markup.page(f"{tasks}: report", "\n".join(part for part in parts if part))


def _figures(figures: Sequence[Drawn], images: Mapping[str, bytes]) -> list[str]:
    """Their captions name what they were made of."""
    if not figures:
        return []
    parts = ["<section><h2>Figures</h2>"]
    for each in figures:
        if each.name in images:
            parts.append(markup.figure(each.title, each.caption, images[each.name], each.name))
        else:
            parts.append(markup.paragraph(f"{each.title} is left out: {each.caption}"))
    return [*parts, "</section>"]


def _stratum(key: str, stratum: Stratum, summary: Summary) -> str:
    about = [
        ("Task", stratum.task),
        ("Data set", stratum.dataset or "none"),
        ("Data sha256", stratum.data_sha256 or "none"),
        ("Unit", _unit(stratum.unit)),
        ("Packages", versions(stratum.runs)),
    ]
    return "\n".join(
        [
            f"<section><h2>{markup.text(stratum.name)}</h2>",
            markup.terms(about),
            markup.listing(stratum.notes, "notes"),
            _groups(key, summary, stratum.runs),
            _versus(key, summary, stratum.runs),
            _each_run(key, stratum, summary),
            "</section>",
        ]
    )


def _together(summary: Summary, runs: Sequence[RunFacts]) -> str:
    note = "Groups that have runs on every one of them, each at its own last common step."
    parts = [_groups("all", summary, runs), _versus("all", summary, runs), "</section>"]
    return "\n".join(["<section><h2>All tasks and data sets together</h2>", markup.paragraph(note), *parts])


def _groups(key: str, summary: Summary, runs: Sequence[RunFacts]) -> str:
    measures = _shown(summary)
    rows: list[list[Cell | str]] = [
        [row.group, str(row.runs), _seeds(row.seeds), *(_estimate(row, measure) for measure in measures)]
        for row in summary.rows
    ]
    note = f"IQM over runs with its {LEVEL * 100:g} % stratified bootstrap interval. {source(runs)}"
    header = ["Group", "Runs", "Seeds", *(measure.title for measure in measures)]
    return markup.table(f"{key}-groups", "Groups", note, header, rows)


def _shown(summary: Summary) -> list[Measure]:
    """Figures that a group has; steps to 90 % only where an epoch is not the same number of steps in all runs."""
    known = {name for row in summary.rows for name in row.estimates}
    spare = "steps_to_90" if summary.equal_epochs else "epochs_to_90"
    return [measure for measure in MEASURES if measure.name in known and measure.name != spare]


def _estimate(row: GroupRow, measure: Measure) -> Cell:
    """The estimate with its interval, and of how many of the group's runs it is if not of all."""
    found = row.estimates.get(measure.name)
    if found is None:
        return Cell(NONE)
    missing = f"({found.runs} of {row.runs})" if found.runs < row.runs else ""
    return Cell(number(found.value), " ".join(each for each in (_interval(found), missing) if each))


def estimate_text(row: GroupRow, name: str) -> str:
    """What the page says of a group's figure, as plain text."""
    measure = next(measure for measure in MEASURES if measure.name == name)
    return " ".join(each for each in _estimate(row, measure) if each)


def _versus(key: str, summary: Summary, runs: Sequence[RunFacts]) -> str:
    """A square of groups; empty where there are no two to compare."""
    found = {(each.group, each.other): each.estimate for each in summary.versus}
    groups = [row.group for row in summary.rows if any(row.group in pair for pair in found)]
    if not groups:
        return ""
    note = (
        "How probably a run of the row's group has a higher final value than one of the column's, with its "
        f"{LEVEL * 100:g} % interval; 0.5 is no difference. {source([run for run in runs if run.group in groups])}"
    )
    rows: list[list[Cell | str]] = [[group, *(_chance(found.get((group, other))) for other in groups)]
                                    for group in groups]  # fmt: skip
    return markup.table(f"{key}-versus", "Probability of improvement", note, ["Group", *groups], rows)


def _chance(estimate: Estimate | None) -> Cell:
    return Cell(NONE) if estimate is None else Cell(f"{estimate.value:.2f}", _interval(estimate, ".2f"))


def _each_run(key: str, stratum: Stratum, summary: Summary) -> str:
    measures = _shown(summary)
    branches = ["Branch of"] if any(run.trunk for run in stratum.runs) else []
    texts = ["Run", "Group", "State", *branches]
    rows = []
    for each in stratum.outcomes:
        run = each.run
        cells: list[Cell | str] = [run.id, run.group, run.state, *([run.trunk or NONE] if branches else [])]
        cells += [str(run.seed), f"{run.last_step:,.0f}"]
        rows.append([*cells, *(_own(each, measure) for measure in measures)])
    note = (
        "± one standard error over the episodes of the evaluation; the net dip with the limits of 95 % of its noise. "
        + source(stratum.runs)
    )
    header = [*texts, "Seed", "Steps", *(measure.title for measure in measures)]
    return markup.table(f"{key}-runs", "Every run", note, header, rows, headings=len(texts))


def _own(each: Outcome, measure: Measure) -> Cell:
    """A run's figure with what limits it."""
    value = each.figures[measure.name]
    if value is None:
        return Cell(NONE)
    mean = {"offline": each.outcome.offline, "final": each.outcome.final}.get(measure.name)
    dip = each.outcome.dip if measure.name == "net_dip" else None
    if measure.name in WHOLE:
        return Cell(f"{value:,.0f}")
    if mean and mean.error is not None:
        return Cell(number(value), f"± {number(mean.error)}")
    if dip and dip.low is not None and dip.high is not None:
        return Cell(number(value), f"[{number(dip.low)}, {number(dip.high)}]")
    return Cell(number(value))


def _definitions() -> str:
    more = [
        ("IQM", "interquartile mean: without the lowest and the highest quarter of the runs, each rounded down"),
        ("Interval", f"holds {LEVEL * 100:g} % of {REPLICATES:,} stratified bootstrap replicates: runs are drawn with "
         "replacement within each task and data set. With few runs it is too narrow: of 3 runs with normal values it "
         "holds the truth 76 times in 100, of 5 runs 90 times, of 10 runs 95 times"),
        ("Probability of improvement", f"share of pairs of runs in which the first group's {JUDGED} value is higher, "
         "ties counted half (Mann and Whitney's U over the number of pairs)"),
        ("Source", "Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice"),
    ]  # fmt: skip
    told = [(measure.title, f"{measure.about}{_better(measure)}") for measure in MEASURES]
    return f"<section><h2>What the figures are</h2>{markup.terms([*told, *more])}</section>"


def number(value: float) -> str:
    """One digit after the point, none from 1000 on."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"


def _interval(estimate: Estimate, form: str = "") -> str:
    if estimate.interval is None:
        return ""
    low, high = (format(end, form) if form else number(end) for end in estimate.interval)
    return f"[{low}, {high}]"


def _unit(unit: str) -> str:
    return "normalised score: 0 is the reference's random policy, 100 its expert" if unit == "score" else "return"


def _better(measure: Measure) -> str:
    return f"; {measure.better} is better" if measure.better else ""


def _seeds(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _runs(count: int) -> str:
    return "one run" if count == 1 else f"{count} runs"
