"""`report`: figures, tables and a page of several runs; what they come to on stdout, notes on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moore_engine.rundir import EXIT_DONE, RunDir
from moore_tui.headless import find
from moore_tui.headless.diagnostics import say
from moore_tui.headless.output import answer, answer_json, plain, table
from moore_tui.headless.progress import Live, Progress
from moore_tui.runs import store
from moore_tui.runs.errors import RunNotFound

if TYPE_CHECKING:
    from moore_tui.report.make import Made


def report(names: Sequence[str], runs_dir: str | None, folder: Path, *, step: int | None, as_json: bool) -> int:
    """Write the report of the runs that are meant into the folder."""
    paths = [run.path for run in runs(names, runs_dir)]
    live = Live()
    live.show(Progress(note="reading"))
    from moore_tui.report.make import make

    def tell(what: str, done: float) -> None:
        live.show(Progress(note=plain(what), epoch=round(100 * done), epochs=100, done=done))

    try:
        made = make(paths, folder, step, tell)
    finally:
        live.clear()
    for note in _notes(made):
        say(plain(note))
    answer_json(_record(made, folder)) if as_json else answer(_text(made, folder))
    return EXIT_DONE


def runs(names: Sequence[str], runs_dir: str | None) -> list[RunDir]:
    """The runs that words mean, each once: a run as everywhere, a folder of runs, or a pattern of names ("moore-*").

    Raises RunNotFound for a word that means none.
    """
    found = [run for name in names for run in _meant(name, find.runs_dir(runs_dir))]
    return list({run.path.resolve(): run for run in found}.values())


def _meant(name: str, folder: Path) -> list[RunDir]:
    if not RunDir(folder / name).exists() and not RunDir(name).exists():
        if Path(name).is_dir() and (inside := store.listing(Path(name))):
            return inside
        if any(letter in name for letter in "*?[") and "/" not in name:
            matching = [run for run in store.listing(folder) if fnmatchcase(run.path.name, name)]
            if not matching:
                raise RunNotFound(f"no run in {folder} has a name like {name!r}")
            return matching
    return [store.resolve(name, folder)]


def _notes(made: Made) -> list[str]:
    """Of several strata each note says which it is about."""
    strata = made.report.strata
    apart = [f"{each.name}: {note}" if len(strata) > 1 else note for each in strata for note in each.notes]
    return [*made.report.notes, *apart]


def _text(made: Made, folder: Path) -> str:
    """One table a stratum: groups with their final value, net dip and AUC, and where the page lies."""
    from moore_tui.report.page import estimate_text

    parts = []
    header = ["GROUP", "RUNS", "OFFLINE", "FINAL", "NET DIP", "AUC"]
    for summary in made.report.summaries:
        rows = [
            [row.group, str(row.runs)] + [estimate_text(row, name) for name in ("offline", "final", "net_dip", "auc")]
            for row in summary.rows
        ]
        parts.append(f"{plain(summary.name)} ({summary.unit})")
        parts.append(table(header, [[plain(cell) for cell in row] for row in rows], header[1:]) + "\n")
    return "\n".join([*parts, str(made.files[0])])


def _record(made: Made, folder: Path) -> dict[str, Any]:
    """The report's tables but the curves, its notes and files."""
    from moore_tui.report import records

    report = made.report
    summaries = [*report.summaries, *([report.together] if report.together else [])]
    tables = records.tables(report.strata, summaries)
    strata = [
        {"name": each.name, "task": each.task, "data_sha256": each.data_sha256, "unit": each.unit, "step": each.step,
         "notes": list(each.notes)}
        for each in report.strata
    ]  # fmt: skip
    return {
        "folder": str(folder),
        "files": [str(path) for path in made.files],
        "notes": list(report.notes),
        "strata": strata,
        "runs": tables["report"],
        "groups": tables["groups"],
        "versus": tables["versus"],
    }
