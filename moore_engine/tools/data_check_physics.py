"""`python -m moore_engine.tools.data_check_physics REF`: do the simulator's steps give the rows that the set stores?"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from moore_engine.rundir import EXIT_USAGE
from moore_engine.tools.cli import answer, guarded
from moore_engine.tools.progress import Bar
from moore_engine.tools.table import table

if TYPE_CHECKING:
    from moore_engine.data.check_physics import Outcome
    from moore_engine.data.state_rows import StateRows

ROWS = 2000
WORST = 3


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console data check-physics")
    parser.add_argument("reference")
    parser.add_argument("--task")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    states: list[str] = []
    code = guarded(lambda: states.append(show(options)))
    return EXIT_USAGE if "fail" in states else code


def show(options: argparse.Namespace) -> str:
    """Print what was found; its state."""
    from moore_engine.data import check_physics
    from moore_engine.data.reference import resolve
    from moore_engine.data.state_rows import take

    reference = resolve(options.reference, options.task)
    rows = take(reference, max(1, options.rows))
    with Bar(f"replaying in {reference.task}", check_physics.steps(reference.task, rows), "steps") as bar:
        outcome = check_physics.check(rows, reference.task, bar.update)
    facts = {
        "path": reference.path,
        "task": reference.task,
        "states_from": rows.source,
        "left_out": rows.left_out,
        "quantiles": check_physics.QUANTILES,
        **asdict(outcome),
    }
    answer(facts, options.json, text(rows, outcome))
    return outcome.state


def text(rows: StateRows, outcome: Outcome) -> str:
    """The tables for a person, and the verdict."""
    left_out = "".join(f", {count:,} {why} left out" for why, count in rows.left_out.items())
    misplaced = f", {outcome.misplaced:,} states are not those of their observations" if outcome.misplaced else ""
    parts = [f"{outcome.rows:,} rows, states from {rows.source}{left_out}{misplaced}"]
    for what, off, head in (
        ("next_obs", "states_off", "NEXT OBSERVATION"),
        ("reward", "rewards_off", "REWARD"),
    ):
        header = (head, "ROWS", "MEDIAN", "90 %", "99 %", "MAX", "OFF")
        lines = [
            (
                f"{version.task}, {name}",
                f"{group.rows:,}",
                *(f"{value:.1e}" for value in getattr(group, what)),
                f"{getattr(group, off):.0%}",
            )
            for version in outcome.versions
            for name, group in version.groups.items()
        ]
        parts.append(table(header, lines, right=header[1:]))
    for version in outcome.versions[:1]:
        worst = ", ".join(
            f"observation {each.dimension} {each.error:.1e} ({each.place})" for each in version.worst[:WORST]
        )
        parts.append(f"Largest errors in {version.task}: {worst}.")
    verdict = outcome.text[:1].upper() + outcome.text[1:]
    parts.append(f"{outcome.state}: {verdict}.")
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
