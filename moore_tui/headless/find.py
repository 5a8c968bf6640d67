"""Which runs a command means: by name, path, or the only beginning of a name."""

from __future__ import annotations

from moore_engine.rundir import RunDir
from moore_tui.runs import store
from moore_tui.runs.model import Snapshot, snapshot

runs_dir = store.runs_folder


def run(name: str, option: str | None) -> RunDir:
    """The run that the command line names; raises RunNotFound or BadRunName."""
    return store.resolve(name, runs_dir(option))


def snapshots(option: str | None) -> list[Snapshot]:
    """All runs, oldest first."""
    found = [snapshot(run) for run in store.listing(runs_dir(option))]
    return sorted(found, key=lambda shot: (shot.created or 0.0, shot.id))
