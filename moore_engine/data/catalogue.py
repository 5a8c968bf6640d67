"""Which data sets there are: those that can be downloaded, by name, and those on this machine.

D4RL's locomotion files (Fu et al. 2020) have known sizes and checksums in all three versions; they are kept in the
cache under one scheme of names, `hopper_medium_replay-v2.hdf5`. Minari's sets lie where the minari package keeps them.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from moore_engine.data.errors import DataError

FAMILIES = {"halfcheetah": "HalfCheetah", "hopper": "Hopper", "walker2d": "Walker2d"}
KINDS = ("random", "medium", "medium-replay", "medium-expert", "expert")
VERSIONS = ("v0", "v1", "v2")
NAME = re.compile(rf"({'|'.join(FAMILIES)})-({'|'.join(KINDS)})-({'|'.join(VERSIONS)})")

MINARI = "minari:"
MINARI_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*/[A-Za-z0-9][\w.-]*-v\d+")
MINARI_TASKS = {
    "ant": "Ant-v5",
    "halfcheetah": "HalfCheetah-v5",
    "hopper": "Hopper-v5",
    "humanoid": "Humanoid-v5",
    "humanoidstandup": "HumanoidStandup-v5",
    "inverteddoublependulum": "InvertedDoublePendulum-v5",
    "invertedpendulum": "InvertedPendulum-v5",
    "pusher": "Pusher-v5",
    "reacher": "Reacher-v5",
    "swimmer": "Swimmer-v5",
    "walker2d": "Walker2d-v5",
}
MINARI_DEPTH = 8
# These tasks have sets of three policies, the others of two.
THREE = ("ant", "halfcheetah", "hopper", "humanoid", "humanoidstandup", "walker2d")


@dataclass(frozen=True)
class D4RL:
    """One of D4RL's files: `source` is its path below the server's folder, `file` its name in the cache."""

    name: str
    task: str
    source: str
    file: str
    bytes: int
    sha256: str
    rows: int | None

    @property
    def path(self) -> Path:
        """Where the cache keeps it."""
        return datasets_dir() / self.file

    @property
    def caution(self) -> str:
        """What speaks against this version, or nothing."""
        if self.name.endswith("-v0"):
            return "known faults"
        return "swapped" if self.name.startswith("hopper-") and self.name.endswith("-v1") else ""


def datasets_dir() -> Path:
    """${XDG_CACHE_HOME:-~/.cache}/moore-console/datasets, which need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(base) if base.startswith("/") else Path("~/.cache").expanduser()
    return cache / "moore-console" / "datasets"


def minari_dir() -> Path:
    """Where the minari package keeps its data sets: MINARI_DATASETS_PATH, else ~/.minari/datasets."""
    return Path(os.environ.get("MINARI_DATASETS_PATH") or "~/.minari/datasets").expanduser()


@functools.cache
def d4rl() -> dict[str, D4RL]:
    """D4RL's files by name, newest version first."""
    known = {}
    for version in reversed(VERSIONS):
        for family, task in FAMILIES.items():
            for kind in KINDS:
                name = f"{family}-{kind}-{version}"
                file = file_name(name)
                facts = _checksums()[file]
                known[name] = D4RL(
                    name=name,
                    task=f"{task}-v4",
                    source=facts.get("source", f"gym_mujoco_{version}/{file}"),
                    file=file,
                    bytes=facts["bytes"],
                    sha256=facts["sha256"],
                    rows=facts.get("total_rows"),
                )
    return known


@functools.cache
def minari() -> dict[str, str]:
    """Ids of Minari's MuJoCo sets and the task of each; their server holds more."""
    return {
        f"mujoco/{family}/{kind}-v0": task
        for family, task in MINARI_TASKS.items()
        for kind in (("simple", "medium", "expert") if family in THREE else ("medium", "expert"))
    }


def file_name(name: str) -> str:
    """`hopper-medium-replay-v2` -> `hopper_medium_replay-v2.hdf5`."""
    stem, _, version = name.rpartition("-")
    return f"{stem.replace('-', '_')}-{version}.hdf5"


def cached(name: str) -> Path | None:
    """The file of D4RL's set `name` if it was downloaded; None too for what is no such name."""
    entry = d4rl().get(name)
    return entry.path if entry and entry.path.is_file() else None


def is_minari_id(name: str) -> bool:
    """Whether `name` has the form NAMESPACE/NAME-vN, with or without `minari:` before it."""
    return MINARI_ID.fullmatch(name.removeprefix(MINARI)) is not None


def unknown(name: str) -> DataError:
    """The error for a name that nothing can be downloaded by, with the nearest that there is."""
    names = [*d4rl(), *minari()]
    close = difflib.get_close_matches(name.removeprefix(MINARI), names, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]}?" if close else "`moore-console data list --remote` shows them all."
    return DataError(f"there is no data set {name!r} to download; {hint}")


def identify(sha256: str) -> str | None:
    """The name of D4RL's file with this checksum."""
    return next((entry.name for entry in d4rl().values() if entry.sha256 == sha256), None)


def task_of(reference: str) -> str | None:
    """The task that a D4RL name or file name belongs to, or None where it does not say."""
    stem = Path(reference).stem.replace("_", "-").lower()
    found = NAME.match(stem)
    return d4rl()[found[0]].task if found else None


@dataclass(frozen=True)
class MinariSet:
    """A Minari set on this machine; `rows` and `task` are what its metadata say, None where they cannot be read."""

    name: str
    path: Path
    task: str | None
    rows: int | None


def minari_sets() -> Iterator[MinariSet]:
    """Every Minari set there is, by name."""
    root = minari_dir()
    for path in _below(root, MINARI_DEPTH):
        metadata = _metadata(path / "data" / "metadata.json")
        rows = metadata.get("total_steps")
        yield MinariSet(
            path.relative_to(root).as_posix(), path, _task_of(metadata), int(rows) if isinstance(rows, int) else None
        )


def _task_of(metadata: dict[str, Any]) -> str | None:
    try:
        found = json.loads(metadata["env_spec"])["id"]
    except (KeyError, ValueError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Folders that hold a folder `data`, those reached by links too; not below such a one, nor in hidden ones."""
    try:
        inside = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError:
        return
    for each in inside:
        if (each / "data").is_dir():
            yield each
        elif depth > 1:
            yield from _below(each, depth - 1)


def _metadata(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@functools.cache
def _checksums() -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {}
    for name in ("d4rl_old_checksums.json", "d4rl_v2_checksums.json"):
        facts |= json.loads(resources.files("moore_engine.data").joinpath(name).read_text(encoding="utf-8"))
    return facts
