"""Opening an HDF5 file from anywhere: what else it might be, damage as one sentence, and its sha256 taken meanwhile."""

from __future__ import annotations

import difflib
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from moore_engine.data.errors import DataError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, AttributeError, MemoryError)


def require(name: str) -> None:
    """DataError unless `name` is a file that starts as HDF5 does."""
    path = Path(name)
    try:
        if path.is_dir():
            raise DataError(f"{name} is a directory: name the .hdf5 file in it.")
        if not path.exists():
            raise DataError(f"there is no file {name}{_nearest(path)}: check data.path.")
        with path.open("rb") as file:
            head = file.read(64)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} cannot be read ({_reason(error)}): check the path and its permissions.") from error
    if head.startswith(_SIGNATURE) or h5py.is_hdf5(name):
        return
    raise DataError(f"{name} is not an HDF5 file but {_what(head)}.")


@contextmanager
def opened(name: str) -> Iterator[h5py.File]:
    """The file, for reading only; whatever HDF5 raises inside the block becomes a DataError that names the damage."""
    try:
        # A lock is of no use to a reader, and some network file systems refuse it.
        with h5py.File(name, "r", locking=False) as file:
            yield file
    except DataError:
        raise
    except _DAMAGE as error:
        what = "truncated" if "truncated" in str(error) else "damaged"
        raise DataError(f"{name} is {what} ({_reason(error)}): download or copy it again.") from error


def dataset(name: str, file: h5py.File, key: str) -> h5py.Dataset:
    """The numeric data set at `key`; DataError if it is a group or holds anything but numbers."""
    found = file[key]
    if not isinstance(found, h5py.Dataset):
        raise DataError(f"{name}: {key} is a group and not an array: give a file in D4RL's layout.")
    if found.dtype.kind not in "fiub" or found.shape is None:
        raise DataError(f"{name}: {key} holds {found.dtype} and not numbers: give a file in D4RL's layout.")
    return found


def text(value: Any) -> str | None:
    """An attribute or scalar as text, or None if it is none."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())[()]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str) and value else None


def scalar_text(file: h5py.File, key: str) -> str | None:
    """Text of the scalar data set at `key`, or None."""
    found = file.get(key)
    return text(found[()]) if isinstance(found, h5py.Dataset) and found.shape == () else None


class Digest:
    """sha256 of a file, computed by a thread while the block runs; leaving the block ends it. One that is `known` is
    not computed."""

    def __init__(self, name: str, known: str | None = None) -> None:
        self._name = name
        self._known = known
        self._hash = hashlib.sha256()
        self._error: OSError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)

    def __enter__(self) -> Digest:
        if self._known is None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._known is None:
            self._thread.join()

    def result(self) -> str:
        """Hexadecimal digest, waited for; DataError when the file could not be read to its end."""
        if self._known is not None:
            return self._known
        self._thread.join()
        if self._error is not None:
            raise DataError(
                f"{self._name} cannot be read to its end ({_reason(self._error)}): copy it again."
            ) from self._error
        return self._hash.hexdigest()

    def _run(self) -> None:
        try:
            with open(self._name, "rb") as file:
                while not self._stop.is_set() and (block := file.read(1 << 20)):
                    self._hash.update(block)
        except OSError as error:
            self._error = error


def _what(head: bytes) -> str:
    start = head.lstrip().lower()
    if not head:
        return "empty: download or copy it again"
    if start.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer to one: run `git lfs pull` where it was cloned"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, so a download has failed: fetch the file itself"
    if head.startswith(b"\x1f\x8b"):
        return "gzip-compressed: unpack it with gunzip"
    if head.startswith(b"PK\x03\x04"):
        return "a zip or npz archive: unpack it and give a file in D4RL's HDF5 layout"
    if head.startswith(b"\x80") or head.startswith(b"\x93NUMPY"):
        return "a pickle or numpy file, which is not read here: convert it to D4RL's HDF5 layout"
    return "something else: give a file in D4RL's HDF5 layout"


def _nearest(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor a directory {path.parent})"
    close = difflib.get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1)
    return f" (nearest: {path.parent / close[0]})" if close else ""


def _reason(error: BaseException) -> str:
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    lines = str(said).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).strip().rstrip(".")
