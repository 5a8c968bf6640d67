"""`python -m moore_engine.tools.data_validate REF`: every check of a data set, one a line; exit code 2 if one fails."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from moore_engine.rundir import EXIT_USAGE
from moore_engine.tools.cli import answer, guarded
from moore_engine.tools.progress import Bar
from moore_engine.tools.table import plain


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
    from moore_engine.data.examine import examine
    from moore_engine.data.reference import resolve

    reference = resolve(options.reference, options.task)
    found = []
    with Bar(f"reading {options.reference}", None, "episodes") as bar:
        for finding in examine(reference, bar.update):
            bar.clear()
            found.append(finding)
            if not options.json:
                print(f"{finding.state:<5} {finding.check:<12} {plain(finding.text)}", flush=True)
    states: list[str] = [finding.state for finding in found]
    if options.json:
        facts = {"path": reference.path, "task": reference.task, "ok": "fail" not in states}
        answer({**facts, "checks": [asdict(finding) for finding in found]}, True, "")
    else:
        fails, warns = states.count("fail"), states.count("warn")
        verdict = f"{fails} failed" if fails else "no check failed"
        print(f"{reference.task}: {verdict}, {warns} with a warning", file=sys.stderr)
    return states


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
