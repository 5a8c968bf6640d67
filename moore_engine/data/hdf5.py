"""Opening an HDF5 file from anywhere: what else it might be, damage as one sentence, and its sha256 taken meanwhile."""

from __future__ import annotations

import difflib
import hashlib
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from moore_engine.data.bounded import bounded_memory, widen
from moore_engine.data.errors import DataError

# Bytes that an array may take for each byte of its file, and for any file. A simulator's numbers hardly shrink, sets of
# mostly constant columns (Ant without contact forces) to a fourth.
LARGEST_RATIO = 16
ROOM = 1 << 22
# Bytes beyond twice a file's size for what HDF5 unpacks of its groups: half of it was needed at most.
STRUCTURE = 8 << 20
GROUPS_KEPT = 1 << 18
TEXT_LIMIT = 1 << 20
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
def opened(name: str, visit: bool = True) -> Iterator[h5py.File]:
    """The file, for reading only; whatever HDF5 raises inside the block becomes a DataError that names the damage.

    Within the block this process gets twice the file's size and STRUCTURE more memory, and what `dataset` adds for each
    array. With `visit`, files that hold links to elsewhere are refused at once; without, for files of very many groups,
    use `find`.
    """
    try:
        # A lock is of no use to a reader, and some network file systems refuse it.
        with bounded_memory(2 * Path(name).stat().st_size + STRUCTURE), h5py.File(name, "r", locking=False) as file:
            _with_little_metadata(file)
            if visit:
                _refuse_links(name, file)
            yield file
    except DataError:
        raise
    except _DAMAGE as error:
        what = "truncated" if "truncated" in str(error) else "damaged"
        raise DataError(f"{name} is {what} ({_reason(error)}): download or copy it again.") from error


def allowance(path: str) -> int:
    """Bytes that the arrays of the file at `path` may take."""
    return LARGEST_RATIO * Path(path).stat().st_size + ROOM


def find(group: h5py.Group, key: str) -> h5py.Group | h5py.Dataset | None:
    """What the group holds at the path `key`, or None; links to elsewhere count as nothing and are not followed."""
    found: Any = group
    for part in key.split("/"):
        if not isinstance(found, h5py.Group) or not isinstance(found.get(part, getlink=True), h5py.HardLink):
            return None
        found = found[part]
    return found


def dataset(name: str, file: h5py.Group, key: str) -> h5py.Dataset:
    """The numeric array at `key`, stored in the file itself and no larger than the file can hold; else DataError."""
    found = find(file, key)
    if not isinstance(found, h5py.Dataset):
        what = "is missing" if found is None else "is a group and not an array"
        raise DataError(f"{name}: {key} {what}: give a file in D4RL's layout.")
    if found.dtype.kind not in "fiub" or found.shape is None:
        raise DataError(f"{name}: {key} holds {found.dtype} and not numbers: give a file in D4RL's layout.")
    if found.is_virtual or found.external:
        raise DataError(f"{name}: {key} lies in another file: store the array itself.")
    limit = allowance(file.file.filename)
    claimed = math.prod(found.shape) * max(found.dtype.itemsize, 4)
    chunk = math.prod(found.chunks or ()) * found.dtype.itemsize
    if claimed > limit or chunk > claimed + ROOM:
        raise too_large(name, file.file.filename, key, max(claimed, chunk))
    widen(2 * max(claimed, chunk))
    return found


def too_large(name: str, path: str, what: str, claimed: int) -> DataError:
    """The error for numbers that the file at `path` is too small to hold."""
    size = Path(path).stat().st_size
    return DataError(
        f"{name}: {what} would take {claimed:,} bytes, and a file of {size:,} bytes does not hold so much: it is "
        f"damaged, or made to fill the memory."
    )


def _with_little_metadata(file: h5py.File) -> None:
    """Let HDF5 keep little of what it has read of groups: by default it may be 32 MiB, and ten times that unpacked."""
    cache = file.id.get_mdc_config()
    cache.set_initial_size, cache.initial_size = True, GROUPS_KEPT
    cache.min_size = cache.max_size = GROUPS_KEPT
    file.id.set_mdc_config(cache)


def _refuse_links(name: str, file: h5py.File) -> None:
    def look(key: bytes | str, info: Any) -> str | None:
        kind = {h5py.h5l.TYPE_SOFT: "a symbolic link", h5py.h5l.TYPE_EXTERNAL: "a link to another file"}.get(info.type)
        return None if info.type == h5py.h5l.TYPE_HARD else f"{shown(key)} is {kind or 'a link'}"

    if found := file.id.links.visit(look, info=True):
        raise DataError(f"{name}: {found} and not an array: store the array itself.")


def shown(key: bytes | str) -> str:
    """A key as text, which in a damaged file may not be any."""
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else key


def text(value: Any) -> str | None:
    """An attribute or scalar as text, or None if it is none."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())[()]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str) and value else None


def attribute(file: h5py.File, key: str) -> Any:
    """An attribute's value, or None where there is none of a sensible size."""
    if key not in file.attrs:
        return None
    stored = file.attrs.get_id(key)
    if stored.get_storage_size() > TEXT_LIMIT or math.prod(stored.shape or ()) * stored.dtype.itemsize > TEXT_LIMIT:
        return None
    return file.attrs[key]


def scalar_text(file: h5py.File, key: str) -> str | None:
    """Text of the scalar data set at `key`, or None."""
    found = find(file, key)
    if not isinstance(found, h5py.Dataset) or found.shape != () or found.dtype.itemsize > TEXT_LIMIT:
        return None
    return text(found[()])


class Digest:
    """sha256 of a file, computed by a thread while the block runs; leaving the block ends it. One that is `known` is
    not computed."""

    def __init__(self, name: str, known: str | None = None) -> None:
        self._name = name
        self._known = known
        self._hash = hashlib.sha256()
        self._block = bytearray() if known else bytearray(1 << 20)
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
            with open(self._name, "rb", buffering=0) as file:
                view = memoryview(self._block)
                while not self._stop.is_set() and (count := file.readinto(view)):
                    self._hash.update(view[:count])
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
