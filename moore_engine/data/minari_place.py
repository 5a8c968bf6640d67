"""A place for a new Minari set, which nobody lists before the set is whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moore_engine.data.catalogue import minari_dir
from moore_engine.data.errors import DataError
from moore_engine.rundir import fsync

ABANDONED_S = 3600.0


@contextmanager
def appearing(dataset_id: str) -> Iterator[Path]:
    """A hidden folder beside the set's, which takes its name when the block has succeeded, and else goes away.

    Raises DataError if the id is taken, then or meanwhile, or if nothing can be written.
    """
    root = minari_dir()
    target = root / dataset_id
    taken = f"there is a data set {dataset_id} already ({target}): choose another version or delete it."
    part = target.with_name(f".{target.name}.part-{socket.gethostname()}-{os.getpid()}")
    try:
        if target.exists():
            raise DataError(taken)
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        part.mkdir()
        yield part
        for parent in target.relative_to(root).parents:
            if parent != Path():
                _declare_namespace(root / parent)
        try:
            part.rename(target)
        except OSError:
            if target.exists():
                raise DataError(taken) from None
            raise
        fsync(target.parent)
    except OSError as error:
        raise DataError(
            f"{target} cannot be written ({error.strerror or error}): check the folder and its disk."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sweep(target: Path) -> None:
    """Remove what killed writers of this set have left."""
    for part in target.parent.glob(f".{target.name}.part-*"):
        with contextlib.suppress(OSError):  # its writer has just finished
            times = [path.stat().st_mtime for path in (part, *part.rglob("*"))]
            if time.time() - max(times) > ABANDONED_S:
                shutil.rmtree(part, ignore_errors=True)


def _declare_namespace(folder: Path) -> None:
    """Minari's mark of a namespace, as `minari.create_namespace` leaves it."""
    mark = folder / "namespace_metadata.json"
    if not mark.exists():
        part = folder / f".{mark.name}.part-{os.getpid()}"
        part.write_text("{}", encoding="utf-8")
        part.replace(mark)
