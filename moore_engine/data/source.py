"""Where a data set named in `data.path` lies, and which reader reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moore_engine.data.d4rl import load as load_d4rl
from moore_engine.data.transitions import DataError, Transitions

__all__ = ["DataError", "load", "locate", "present"]

BUNDLED = "bundled:"


def locate(path: str, base: Path) -> str:
    """`path` as a run stores it: absolute, or `bundled:NAME` for a set inside the package. Raises DataError."""
    if path.startswith(BUNDLED):
        _bundled(path)
        return path
    return str((base / path).expanduser().resolve())


def present(path: str) -> bool:
    """Whether there is anything at a stored path."""
    return path.startswith(BUNDLED) or Path(path).exists()


def load(path: str, **options: Any) -> Transitions:
    """The data set as one table; options as for `d4rl.load`. Raises DataError."""
    return load_d4rl(_bundled(path) if path.startswith(BUNDLED) else Path(path), **options)


def _bundled(path: str) -> Path:
    file = Path(__file__).parent / f"{path.removeprefix(BUNDLED)}.hdf5"
    if not file.is_file():
        there = ", ".join(sorted(BUNDLED + each.stem for each in file.parent.glob("*.hdf5")))
        raise DataError(f"{path} is not a bundled data set; there is {there}.")
    return file
