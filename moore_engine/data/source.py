"""Where a data set named in `data.path` lies, and which reader reads it.

A name is a file in D4RL's layout, the name of one that was downloaded (`hopper-medium-replay-v2`), `minari:ID` for a
local Minari set, or `bundled:NAME` for one inside the package.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from moore_engine.data import cache, catalogue, d4rl, minari, minari_set
from moore_engine.data.catalogue import MINARI
from moore_engine.data.checked import Wanted
from moore_engine.data.d4rl import FileInfo
from moore_engine.data.transitions import DataError, Transitions

__all__ = ["DataError", "info", "load", "locate", "present", "task"]

BUNDLED = "bundled:"


def locate(path: str, base: Path) -> str:
    """`path` as a run stores it: absolute, or `minari:ID` or `bundled:NAME`. Raises DataError."""
    if path.startswith(BUNDLED):
        _bundled(path)
        return path
    if path.startswith(MINARI):
        minari_set.folder(path)
        return path
    entry = catalogue.d4rl().get(path)
    if entry is None or (base / path).exists():
        return str((base / path).expanduser().resolve())
    if not entry.path.is_file():
        raise DataError(
            f"{path} is not in the cache: `moore-console data download {path}` fetches it, or put its file at "
            f"{entry.path}."
        )
    return str(entry.path.resolve())


def present(path: str) -> bool:
    """Whether there is anything at a stored path."""
    if path.startswith(MINARI):
        try:
            return minari_set.folder(path).is_dir()
        except DataError:
            return False
    return path.startswith(BUNDLED) or Path(path).exists()


def load(
    path: str, *, progress: Callable[[int, int], None] = lambda done, total: None, cached: bool = True, **options: Any
) -> Transitions:
    """The data set at a stored path as one table; options are those of `checked.Wanted`. Raises DataError.

    A table that the cache holds is taken from there, unless not `cached`; it is the same either way. `progress(done,
    total)` counts episodes where reading them takes long.
    """
    if path.startswith(MINARI):
        found = minari_set.find(path)

        def read_minari(sha256: str | None) -> Transitions:
            return minari.load(path, sha256=sha256, progress=progress, **options)

        if not cached:
            return read_minari(None)
        return cache.load(found.name, found.file, [found.name, found.sha256], Wanted(**options), read_minari)
    file = _bundled(path) if path.startswith(BUNDLED) else Path(path)

    def read_d4rl(sha256: str | None) -> Transitions:
        return d4rl.load(file, sha256=sha256, **options)

    if not cached:
        return read_d4rl(None)
    return cache.load(str(file), file, [file.name], Wanted(**options), read_d4rl)


def info(path: str) -> FileInfo:
    """What the data set at a stored path says about itself, read without its rows. Raises DataError."""
    if path.startswith(MINARI):
        return minari.info(path)
    return d4rl.info(_bundled(path) if path.startswith(BUNDLED) else path)


def task(path: str) -> str | None:
    """The task that the data set at a stored path says it was made with, or that its size or name is known for; else
    None. Raises DataError."""
    if path.startswith(MINARI):
        found = minari_set.find(path)
        return minari_set.task_for(found) if found.task else None
    facts = info(path)
    known_as = (facts.same_size_as, Path(facts.path).stem)
    return facts.task or next((task for name in known_as if name and (task := catalogue.task_of(name))), None)


def _bundled(path: str) -> Path:
    file = Path(__file__).parent / f"{path.removeprefix(BUNDLED)}.hdf5"
    if not file.is_file():
        there = ", ".join(sorted(BUNDLED + each.stem for each in file.parent.glob("*.hdf5")))
        raise DataError(f"{path} is not a bundled data set; there is {there}.")
    return file
