"""A file on its way here: its bytes so far, a note of which version on the server they are of, and a lock on both."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from moore_engine.data.errors import DataError
from moore_engine.rundir import fsync


class PartFile:
    """The bytes of `url` that have come for `target`, in TARGET.part beside it; what they are of in TARGET.part.json.

    `validator` is the server's name for the version they are of, `total` the length it promised. Everything that the
    disk refuses is a DataError.
    """

    def __init__(self, target: Path, url: str) -> None:
        self.target, self.url = target, url
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        self.validator = ""
        self.total: int | None = None

    @property
    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def take_up(self, size: int | None, proven: bool) -> None:
        """Go on from an earlier call's bytes, or drop them where they cannot be of this file of `size` bytes.

        `proven` says that a checksum will tell whether they were: then they may have come from another server.
        """
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            same, total = noted["url"] == self.url, noted["total"]
            fits = (same or proven) and (size is None or total in (None, size))
            self.validator, self.total = (str(noted["validator"]), total) if same else ("", None)
        except (OSError, ValueError, KeyError, TypeError):
            fits = False
        if not fits or (size is not None and self.size > size):
            self.drop()

    def drop(self) -> None:
        """Forget what has come."""
        with self._disk():
            self.path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)
        self.validator, self.total = "", None

    def begin(self, start: int, validator: str, total: int | None) -> None:
        """Note which version the bytes from `start` on are of, after checking that there is room for them."""
        if start == 0:
            self.drop()
        self.validator, self.total = validator, total
        with self._disk():
            free = shutil.disk_usage(self.path.parent).free
            missing = (total or 0) - start
            if missing > free:
                raise DataError(
                    f"{self.path.parent} has room for {free / 1e6:,.0f} MB and {missing / 1e6:,.0f} MB are still to "
                    f"come: free some, or set XDG_CACHE_HOME to a folder on another disk."
                )
            text = json.dumps({"url": self.url, "validator": validator, "total": total})
            new = self._note.with_name(f"{self._note.name}.new")
            new.write_text(text, encoding="utf-8")
            new.replace(self._note)

    @contextlib.contextmanager
    def appending(self, start: int) -> Iterator[Callable[[bytes], None]]:
        """A function that appends bytes, the first of them at `start`."""
        with self._disk():
            file = open(self.path, "r+b" if start else "wb", buffering=0)  # noqa: SIM115
        with file:
            with self._disk():
                file.seek(start)

            def append(block: bytes) -> None:
                with self._disk():
                    rest = memoryview(block)
                    while rest:
                        rest = rest[file.write(rest) :]

            yield append

    def finish(self) -> None:
        """Flush the bytes to the disk and give them the target's name."""
        with self._disk():
            fsync(self.path)
            self.path.replace(self.target)
            fsync(self.target.parent)
            self._note.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kept = f"; the {self.size:,} bytes that came are kept, and the same command goes on" if self.size else ""
            raise DataError(
                f"{self.path.parent} cannot be written to ({_said(error)}): make room, change its permissions or set "
                f"XDG_CACHE_HOME to a folder on another disk{kept}."
            ) from error


@contextlib.contextmanager
def locked(target: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Held by one process at a time; another is told by `waiting()` and waits. The folder is made if need be."""
    path = target.with_name(f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = _acquire(path, waiting)
    except OSError as error:
        raise DataError(
            f"{target.parent} cannot be written to ({_said(error)}): change its permissions, or set XDG_CACHE_HOME to "
            f"another folder."
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _acquire(path: Path, waiting: Callable[[], None]) -> int:
    """A descriptor of the locked file at `path`: not of one that its former holder has removed meanwhile."""
    told = False
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                waiting()
                told = True
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if os.fstat(file).st_ino == path.stat().st_ino:
                return file
        except FileNotFoundError:
            pass
        os.close(file)


def fault(path: Path, size: int | None, sha256: str | None) -> str:
    """What is wrong with a finished file, "has 5 bytes instead of 6", or nothing."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"has {found:,} bytes instead of {size:,}"
    if sha256 is None:
        return ""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if digest == sha256 else f"has the sha256 {digest[:12]}... instead of {sha256[:12]}..."


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
