"""What a figure or a table was made of, in words: runs, seeds, task, data, package versions; and what made it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from moore_tui.report.gather import RunFacts

SHA = 12
"""Of a digest, the beginning that is told; the whole of it stands at the head of each section and in report.csv."""


def source(runs: Sequence[RunFacts]) -> str:
    """One line on what something shows."""
    if not runs:
        return ""
    tasks = ", ".join(dict.fromkeys(run.task for run in runs))
    data = ", ".join(dict.fromkeys(run.data_sha256[:SHA] or "none" for run in runs))
    parts = [
        f"Runs: {', '.join(run.id for run in runs)}",
        f"seeds: {', '.join(map(str, sorted({run.seed for run in runs})))}",
        f"task: {tasks}",
        f"data sha256: {data}",
        f"packages: {versions(runs)}",
    ]
    return "; ".join(parts) + "."


def made_by() -> str:
    """The program and its version."""
    try:
        return f"moore-console {version('moore-console')}"
    except PackageNotFoundError:
        return "moore-console"


def versions(runs: Sequence[RunFacts]) -> str:
    """Package versions of the runs; of one package several, where they differ."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, number in run.versions.items():
            found.setdefault(name, {})[number] = None
    return ", ".join(f"{name} {' / '.join(each)}" for name, each in sorted(found.items())) or "not told"
