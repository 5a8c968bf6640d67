"""`python -m moore_engine.tools.data_validate REF`: every check of a data set, one a line; exit code 2 if one fails."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from moore_engine.rundir import EXIT_USAGE
from moore_engine.tools.cli import answer, guarded
from moore_engine.tools.progress import Bar
from moore_engine.tools.table import plain

if TYPE_CHECKING:
    from moore_engine.data.examine import Finding


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console data validate")
    parser.add_argument("reference")
    parser.add_argument("--task")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    states: list[str] = []
    code = guarded(lambda: states.extend(show(options)))
    return EXIT_USAGE if "fail" in states else code


def show(options: argparse.Namespace) -> list[str]:
    """Print each finding as it is made, or all as JSON; their states."""
    from moore_engine.data.reference import locate

    path = locate(options.reference)
    found: list[Finding] = []
    with Bar(f"reading {options.reference}", None, "episodes") as bar:
        task, findings = _findings(path, options, bar)
        for finding in findings:
            bar.clear()
            found.append(finding)
            if not options.json:
                print(f"{finding.state:<5} {finding.check:<12} {plain(finding.text)}", flush=True)
    states: list[str] = [finding.state for finding in found]
    if options.json:
        facts = {"path": path, "task": task, "ok": "fail" not in states}
        answer({**facts, "checks": [asdict(finding) for finding in found]}, True, "")
    else:
        fails, warns = states.count("fail"), states.count("warn")
        verdict = f"{fails} failed" if fails else "no check failed"
        print(f"{plain(task or path)}: {verdict}, {warns} with a warning", file=sys.stderr)
    return states


def _findings(path: str, options: argparse.Namespace, bar: Bar) -> tuple[str | None, Iterator[Finding]]:
    """The task and the findings; what is there and too broken to say its task has one, a DataError is for what is
    not there."""
    from moore_engine.data import source
    from moore_engine.data.errors import DataError
    from moore_engine.data.examine import Finding, examine
    from moore_engine.data.reference import resolve

    try:
        reference = resolve(options.reference, options.task)
    except DataError as error:
        if not source.present(path):
            raise
        return options.task, iter([Finding("layout", "fail", str(error))])
    return reference.task, examine(reference, bar.update)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
