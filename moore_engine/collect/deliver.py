"""What a collection ends with: its rows as an HDF5 file in D4RL's layout, with what made them in its attributes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from moore_engine.collect.collection import Collection
from moore_engine.data.write import write_d4rl

FILE = "dataset.hdf5"
"""In the run's directory, where the configuration names no other."""


def deliver(run: Collection, folder: Path, tick: Callable[[], None]) -> dict[str, Any]:
    """Write the set where the configuration says, else into the run's `folder`: path and sha256.

    Each file appears whole or not at all; written again it has the same bytes.
    """
    collect = run.config.collect
    arrays = run.recorded.arrays(run.roll_env.table_to_task_units)
    path = Path(collect.output) if collect.output else folder / FILE
    write_d4rl(path, **arrays, task=run.config.data.task, attrs=facts(run), tick=tick)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path), "sha256": digest}


def facts(run: Collection) -> dict[str, str | int | float]:
    """Where the rows come from: attributes of the file, strings and numbers only."""
    config, c = run.config, run.counters
    told: dict[str, Any] = {
        "kind": config.collect.kind,
        "seed": config.run.seed,
        "made_by": made_by(run),
        "algorithm": "uniform actions" if config.collect.kind == "random" else "SAC",
        "code": code(),
        "train_steps": c.learned,
        "updates": c.update,
        "evaluated_return": c.evaluated,
        "target_return": run.target() if any(part.to_target for part in run.parts) else None,
        "episodes_cut": c.cuts,
        "ref_min": config.data.ref_min,
        "ref_max": config.data.ref_max,
    }
    return {key: value for key, value in told.items() if value is not None}


def made_by(run: Collection) -> str:
    """One line about the policy, or policies, of the rows."""
    config, c = run.config, run.counters
    uniform = min(config.collect.random_steps, run.replay.size)
    medium = f"SAC stopped after {c.medium_at} steps"
    if c.reached is not None:
        medium += f" at an evaluated return of {c.reached:.1f}"
    what = {
        "random": "uniform actions",
        "medium": f"stochastic policy of {medium}",
        "medium-replay": f"replay buffer of {medium}, the first {uniform} uniform",
        "expert": f"stochastic policy of SAC after {c.learned} steps",
        "medium-expert": f"stochastic policies of {medium}, and after {c.learned} steps",
    }[config.collect.kind]
    return f"{what}, seed {config.run.seed}"


def code() -> str:
    """Name and version of this program."""
    try:
        return f"moore-console {version('moore-console')}"
    except PackageNotFoundError:
        return "moore-console"
