"""What a collection ends with: its rows in a file of D4RL's layout, as a Minari set, or both, with what made them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moore_engine.collect.collection import Collection
from moore_engine.config import Config
from moore_engine.data import minari_set
from moore_engine.data.catalogue import MINARI, minari_dir
from moore_engine.data.errors import DataError
from moore_engine.data.minari_write import About, Rows, write_minari
from moore_engine.data.write import write_d4rl

Arrays = dict[str, NDArray[Any]]
Tick = Callable[[], None]

FILE = "dataset.hdf5"
"""In the run's directory, where the configuration names neither file nor Minari set."""
PHYSICS = ("qpos", "qvel")
OWN = "collected"
"""Key of our own metadata in a Minari set: what made it, and the digest of its rows."""


def destination(config: Config) -> str:
    """Where the configuration wants the set, in words; empty where it lies in the run's directory."""
    collect = config.collect
    return " and ".join(each for each in (collect.output, f"{MINARI}{collect.id}" if collect.id else "") if each)


def deliver(run: Collection, folder: Path, tick: Tick) -> dict[str, Any]:
    """Write the set where the configuration says, else into the run's `folder`; where it lies and its sha256.

    Each file appears whole or not at all. Done again, it leaves the same bytes.
    """
    collect = run.config.collect
    arrays = run.recorded.arrays(run.roll_env.table_to_task_units)
    told: dict[str, Any] = {}
    if collect.output or not collect.id:
        path = Path(collect.output) if collect.output else folder / FILE
        write_d4rl(path, **arrays, task=run.config.data.task, attrs=facts(run), tick=tick)
        with open(path, "rb") as file:
            told = {"path": str(path), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    if collect.id:
        told["minari"] = str(_deliver_minari(run, arrays, tick))
    return told


def check_free(dataset_id: str) -> None:
    """Raise DataError unless a Minari set of this id can be made."""
    minari_set.parse(dataset_id)
    folder = minari_dir() / dataset_id
    if folder.exists():
        raise DataError(f"there is a data set {dataset_id} already ({folder}): choose another version or delete it.")


def _deliver_minari(run: Collection, arrays: Arrays, tick: Tick) -> Path:
    """The set's folder; one that an attempt wrote before it died is found and left as it is."""
    config, collect, env = run.config, run.config.collect, run.roll_env
    made = {**facts(run), "rows_sha256": _digest(arrays)}
    if (minari_dir() / collect.id).exists() and minari_set.find(collect.id).own.get(OWN) == made:
        return minari_dir() / collect.id
    low, high = config.data.ref_min, config.data.ref_max
    about = About(
        algorithm=str(made["algorithm"]), author=(collect.author,) if collect.author else (),
        code_permalink=collect.code_permalink or None, description=str(made["made_by"]),
        reference=None if low is None or high is None else (low, high),
    )  # fmt: skip
    columns: dict[str, Any] = {key: values for key, values in arrays.items() if key not in PHYSICS}
    rows = Rows(**columns, infos={key: arrays[key] for key in PHYSICS if key in arrays})
    return write_minari(
        collect.id, rows, task=config.data.task, low=env.low, high=env.high, about=about, own={OWN: made},
        progress=lambda done, total: tick(),
    )  # fmt: skip


def _digest(arrays: Arrays) -> str:
    """sha256 over the rows, array after array."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


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
