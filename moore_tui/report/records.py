"""The report's numbers as tables for other programs: CSV, and Parquet where pyarrow is installed.

report   a run a row: what it is, its figures, what limits its net dip
groups   a figure of a group a row: IQM, interval, number of runs
versus   an ordered pair of groups a row: probability of improvement of the first over the second
curves   an evaluation a row, in long form; `stage` is offline, frozen (the policy at the switch) or online
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moore_engine.rundir import write_atomic
from moore_tui.report.gather import RunFacts
from moore_tui.report.outcomes import MEASURES, Outcome
from moore_tui.report.strata import Stratum
from moore_tui.report.summary import Summary

Record = dict[str, Any]

NAMES = ("report", "groups", "versus", "curves")

INSTALL = "pip install 'moore-console[report]'"


def tables(strata: Sequence[Stratum], summaries: Sequence[Summary]) -> dict[str, list[Record]]:
    """The four tables by name; all rows of a table have the same keys in the same order."""
    return {
        "report": [_run(each, stratum) for stratum in strata for each in stratum.outcomes],
        "groups": [row for summary in summaries for row in _groups(summary)],
        "versus": [row for summary in summaries for row in _versus(summary)],
        "curves": [row for run in _runs(strata) for row in _curve(run)],
    }


def write(tables: Mapping[str, Sequence[Record]], folder: Path) -> list[Path]:
    """Write every table that has rows as NAME.csv, and as NAME.parquet if pyarrow is there; the files in order."""
    paths = []
    for name, rows in tables.items():
        if not rows:
            continue
        paths.append(folder / f"{name}.csv")
        write_atomic(paths[-1], _csv(rows), durable=False)
        if has_parquet():
            paths.append(folder / f"{name}.parquet")
            _write_parquet(rows, paths[-1])
    return paths


def has_parquet() -> bool:
    """pyarrow is installed."""
    return find_spec("pyarrow") is not None


def _run(each: Outcome, stratum: Stratum) -> Record:
    run, outcome = each.run, each.outcome
    errors = {name: mean.error if mean else None for name, mean in
              (("offline", outcome.offline), ("final", outcome.final if each.reached else None))}  # fmt: skip
    dip = outcome.dip if each.reached else None
    return {
        "run": run.id,
        "group": run.group,
        "algo": run.algo,
        "task": run.task,
        "dataset": run.dataset,
        "data_sha256": run.data_sha256,
        "stratum_data_sha256": stratum.data_sha256,
        "seed": run.seed,
        "state": run.state,
        "trunk": run.trunk,
        "unit": each.unit,
        "step": stratum.step if each.reached else None,
        "last_step": run.last_step,
        **{measure.name: each.figures[measure.name] for measure in MEASURES},
        "offline_error": errors["offline"],
        "final_error": errors["final"],
        "net_dip_low": dip.low if dip else None,
        "net_dip_high": dip.high if dip else None,
        "versions": " ".join(f"{name}={version}" for name, version in sorted(run.versions.items())),
    }


def _groups(summary: Summary) -> Iterator[Record]:
    for row in summary.rows:
        for measure in MEASURES:
            found = row.estimates.get(measure.name)
            if found is not None:
                yield {
                    "stratum": summary.name or "all",
                    "group": row.group,
                    "figure": measure.name,
                    "unit": summary.unit,
                    "iqm": found.value,
                    "low": found.interval.low if found.interval else None,
                    "high": found.interval.high if found.interval else None,
                    "runs": found.runs,
                }


def _versus(summary: Summary) -> Iterator[Record]:
    for each in summary.versus:
        interval = each.estimate.interval
        yield {
            "stratum": summary.name or "all",
            "group": each.group,
            "other": each.other,
            "probability": each.estimate.value,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
        }


def _runs(strata: Sequence[Stratum]) -> list[RunFacts]:
    """Each run once, though it may be in several strata."""
    return list({run.path: run for stratum in strata for run in stratum.runs}.values())


def _curve(run: RunFacts) -> Iterator[Record]:
    for stage, evals in (("offline", run.offline_evals), ("frozen", run.baseline), ("online", run.online_evals)):
        for place in range(len(evals["epoch"])):
            yield {
                "run": run.id,
                "group": run.group,
                "seed": run.seed,
                "stage": stage,
                **{name: int(evals[name][place]) for name in ("epoch", "update", "env_step")},
                **{name: _known(evals[name][place]) for name in ("score", "return_mean", "return_std")},
            }


def _known(value: float) -> float | None:
    return float(value) if value == value else None


def _csv(rows: Sequence[Record]) -> str:
    """RFC 4180 with plain line ends; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write_parquet(rows: Sequence[Record], path: Path) -> None:
    """Whole columns of one type: text, whole numbers, or floats with nulls."""
    import pyarrow
    import pyarrow.parquet

    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    fields = []
    for name, values in columns.items():
        kind = next((type(value) for value in values if value is not None), float)
        fields.append(pyarrow.field(name, kinds[kind]))
    table = pyarrow.table(columns, schema=pyarrow.schema(fields))
    temporary = path.with_name(f".{path.name}")
    pyarrow.parquet.write_table(table, temporary)
    temporary.replace(path)
