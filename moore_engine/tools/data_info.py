"""`python -m moore_engine.tools.data_info REF`: what a data set is like, and with --run whether a policy beats it."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING, Any

from moore_engine.events import read, visible
from moore_engine.rundir import RunDir
from moore_engine.tools.cli import answer, guarded, run_dir
from moore_engine.tools.histogram import histogram, number
from moore_engine.tools.progress import Bar
from moore_engine.tools.table import pairs, table

if TYPE_CHECKING:
    from moore_engine.data.describe import Verdict
    from moore_engine.data.reference import Reference
    from moore_engine.data.transitions import Transitions


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console data info")
    parser.add_argument("reference")
    parser.add_argument("--task")
    parser.add_argument("--run", metavar="RUN_DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    return guarded(lambda: show(options))


def show(options: argparse.Namespace) -> None:
    """Print the description."""
    run = run_dir(options.run) if options.run else None
    from moore_engine.data import catalogue, describe
    from moore_engine.data.reference import resolve

    reference = resolve(options.reference, options.task)
    data, problem = _load(reference)
    facts = describe.facts(data, reference.task, reference.low, reference.high)
    facts |= {"problem": problem, "task_found": reference.why, "genuine": catalogue.identify(data.sha256)}
    verdict = None
    if run is not None:
        verdict, same = _verdict(run, data)
        facts["policy"] = {"run": run.id, "same_data": same, **vars(verdict)}
    if options.json:
        answer(facts, True, "")
        return
    parts = [_head(facts), _returns(facts, data), _coverage(facts)]
    if verdict is not None:
        parts.append(_compared(facts, verdict))
    for text in facts["warnings"] + ([f"A run would refuse it: {problem}"] if problem else []):
        parts.append(f"! {text}")
    answer(facts, False, "\n\n".join(parts))


def _load(reference: Reference) -> tuple[Transitions, str | None]:
    """The data set, and what a run would refuse it for, if anything."""
    from moore_engine.data.errors import DataError

    with Bar(f"reading {reference.path}", None, "episodes") as bar:
        try:
            return reference.load(progress=bar.update), None
        except DataError as error:
            return reference.load(checks=False, progress=bar.update), str(error)


def _verdict(run: RunDir, data: Transitions) -> tuple[Verdict, bool]:
    """The comparison with the run's policy at the end of its offline stage, and whether it was trained on these rows.

    The frozen policy's evaluations at the switch count where there are any, else the last one of the offline stage.
    """
    import numpy as np

    from moore_engine.data import describe
    from moore_engine.data.errors import DataError

    events = visible(read(run.events)) if run.events.exists() else []
    offline = [each for each in events if each["k"] == "eval" and each.get("stage") == "offline"]
    frozen = [each for each in offline if each.get("baseline")] or offline[-1:]
    if not frozen:
        raise DataError(f"{run.id} has not evaluated a policy in its offline stage yet: wait for its first evaluation.")
    returns = np.array([float(value) for each in frozen for value in each["returns"]])
    hashes = {each["sha256"] for each in events if each["k"] == "run"}
    return describe.compare(returns, describe.spread(data.returns)), data.sha256 in hashes


def _head(facts: dict[str, Any]) -> str:
    genuine = f"genuine D4RL {facts['genuine']}" if facts["genuine"] else "not an official file"
    dropped = f", {facts['rows_dropped']:,} dropped" if facts["rows_dropped"] else ""
    length = facts["length"]
    return pairs(
        [
            ("data", facts["path"]),
            ("format", f"{facts['format']}, {genuine}"),
            ("made by", facts["made_by"] or "-"),
            ("sha256", facts["sha256"]),
            ("task", f"{facts['task']} ({facts['task_found']})"),
            ("rows", f"{facts['rows']:,}{dropped}"),
            (
                "episodes",
                f"{facts['episodes']:,} of {length['min']:,} to {length['max']:,} steps, mean {length['mean']:,.1f}",
            ),
            ("ends", f"{facts['terminals']:,} terminals, {facts['timeouts']:,} time-outs"),
        ]
    )


def _returns(facts: dict[str, Any], data: Transitions) -> str:
    quantiles, mean = facts["return"]["quantiles"], facts["return"]
    header = ("RETURN", "LOWEST", "10 %", "25 %", "MEDIAN", "75 %", "90 %", "HIGHEST", "MEAN", "SD")
    values = [*quantiles.values(), mean["mean"], mean["std"]]
    lines = table(header, [("", *map(number, values))], right=header[1:])
    score = facts["score"]
    if score["mean"] is None:
        said = f"no score: {facts['task']} has no reference returns"
    else:
        low, high = facts["reference"]
        said = (
            f"score {score['mean']:.1f} in the mean, {score['best_tenth']:.1f} in the best tenth of the episodes, "
            f"{score['best']:.1f} in the best (0 is a return of {number(low)}, 100 of {number(high)})"
        )
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    width = min(100, shutil.get_terminal_size((80, 24)).columns)
    return "\n".join([lines, said, "", *histogram(data.returns, width, ascii_only=not utf8)])


def _coverage(facts: dict[str, Any]) -> str:
    header = ("COVERAGE", "LOWEST", "1 %", "MEDIAN", "99 %", "HIGHEST", "SD", "")
    rows = []
    named = [
        *((f"observation {i}", column) for i, column in enumerate(facts["observations"])),
        *((f"action {i}", column) for i, column in enumerate(facts["actions"])),
        ("reward", facts["reward"]),
    ]
    for name, column in named:
        values = (column[key] for key in ("low", "q01", "median", "q99", "high", "std"))
        note = "constant" if column["low"] == column["high"] else ""
        rows.append((name, *(f"{value:.4g}" for value in values), note))
    share = f"{facts['actions_at_bounds']:.1%} of all action values lie at a bound"
    return table(header, rows, right=header[1:-1]) + "\n" + share


def _compared(facts: dict[str, Any], verdict: Verdict) -> str:
    policy = facts["policy"]
    means = number(verdict.policy_mean), number(verdict.policy_error)
    head = (
        f"{verdict.word}: {policy['run']} returns {means[0]} +- {means[1]} after its offline stage "
        f"({verdict.policy_episodes} episodes); the data's mean is {number(facts['return']['mean'])}, its best tenth's "
        f"{number(facts['return']['best_tenth'])}."
    )
    other = "" if policy["same_data"] else f"\n{policy['run']} was trained on another data set than this."
    return f"{head}\n{verdict.text[:1].upper()}{verdict.text[1:]}.{other}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
