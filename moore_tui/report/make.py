"""`moore-console report`: reads runs, puts figures, tables and the page into a folder.

DIR/report.html and DIR/figures/ are for people, the CSV and Parquet files beside them (moore_tui.report.records) for
programs. Made again of the same runs, they are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from moore_engine.rundir import RunDir, write_atomic
from moore_tui.report import records
from moore_tui.report.figures import Drawn, NoMatplotlib, draw
from moore_tui.report.gather import RunFacts, gather, labelled
from moore_tui.report.page import Report, page
from moore_tui.report.provenance import made_by
from moore_tui.report.strata import NothingToCompare, strata
from moore_tui.report.summary import of_stratum, together

PAGE = "report.html"


@dataclass(frozen=True)
class Made:
    """The report and the files it was written to."""

    report: Report
    files: tuple[Path, ...]


def make(
    paths: Sequence[Path], folder: Path, step: int | None = None, tell: Callable[[str, float], None] = lambda *_: None
) -> Made:
    """Report on the run directories; `tell` hears what is being done and the share that is.

    Raises NothingToCompare where none can be read, `step` is out of reach, or the folder cannot be used.
    """
    _usable(folder)
    left_out: list[str] = []
    phases = len(paths) + 2
    runs = gather(paths, left_out, lambda place, name: tell(f"reading {name}", place / phases))
    if not runs:
        raise NothingToCompare(left_out[0] if left_out else "no run was named")
    runs, trunks = _without_trunks(runs)
    tell("comparing", len(paths) / phases)
    apart = strata(runs, step)
    summaries = [of_stratum(each) for each in apart]
    whole = together(apart)
    folder.mkdir(parents=True, exist_ok=True)
    tell("drawing", (len(paths) + 1) / phases)
    notes = [*(f"Left out: {sentence}." for sentence in left_out), *trunks, *_several(apart)]
    figures = _figures(runs, folder / "figures", notes)
    if not records.has_parquet():
        notes.append(f"There are no Parquet files, which need pyarrow: {records.INSTALL}.")
    report = Report(apart, summaries, whole, figures, tuple(notes), made_by())
    tables = records.tables(apart, [*summaries, *([whole] if whole else [])])
    files = [folder / PAGE, *(file for each in figures for file in each.files), *records.write(tables, folder)]
    _clear(folder, files)
    write_atomic(folder / PAGE, page(report, images(figures)), durable=False)
    return Made(report, tuple(files))


def images(figures: Sequence[Drawn]) -> dict[str, bytes]:
    """The figures' PNG files by figure name."""
    return {each.name: file.read_bytes() for each in figures for file in each.files if file.suffix == ".png"}


def _figures(runs: Sequence[RunFacts], folder: Path, notes: list[str]) -> list[Drawn]:
    """The figures; without the library for them none, and a note."""
    try:
        return draw(runs, folder)
    except NoMatplotlib as error:
        notes.append(f"There are no figures: {error}.")
        return []


def _clear(folder: Path, files: Sequence[Path]) -> None:
    """Take away what an earlier report left under the names of this one's files and does not hold for these runs."""
    old = [folder / f"{name}.{kind}" for name in records.NAMES for kind in ("csv", "parquet")]
    old += [*(folder / "figures").glob("figure-?.pdf"), *(folder / "figures").glob("figure-?.png")]
    for path in old:
        if path not in files:
            path.unlink(missing_ok=True)


def _without_trunks(runs: Sequence[RunFacts]) -> tuple[list[RunFacts], list[str]]:
    """(the runs without those that are only the offline stage of others among them, a note on these)."""
    origins = {Path(run.origin).resolve() for run in runs if run.origin}
    trunks = [run.id for run in runs if run.path.resolve() in origins and not run.last_step]
    if not trunks:
        return list(runs), []
    rest = labelled([run for run in runs if run.id not in trunks])
    return rest, [f"Shown only as the offline stage of the runs that branched off: {', '.join(trunks)}."]


def _several(apart: Sequence[object]) -> list[str]:
    if len(apart) < 2:
        return []
    return ["The runs are on several tasks or data sets: each has a section, and runs are compared within it."]


def _usable(folder: Path) -> None:
    """Raise NothingToCompare for a folder that is something else, so that nothing is written into it."""
    for each in (folder, *folder.parents):
        if each.exists() and not each.is_dir():
            raise NothingToCompare(f"{each} is a file; name a folder for the report with -o DIR")
    if RunDir(folder).exists():
        raise NothingToCompare(f"{folder} is a run directory; name another folder for the report with -o DIR")
