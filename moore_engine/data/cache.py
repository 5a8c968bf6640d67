"""Tables of data sets, kept flat on disk so that a later start reads them in a fraction of the time.

${XDG_CACHE_HOME:-~/.cache}/moore-console/tables/ holds KEY.f32, the table's bytes, and KEY.json, the facts with the
table's crc32, behind a crc32 of its own. KEY is a digest of what decides a table: the source's sha256, the importer's
version, the task's sizes and bounds. A source's sha256 is remembered for as long as size, times and inode of its file
stay what they were. What is damaged is made again, and where nothing can be written the source is read: the cache
never decides a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from moore_engine import terminations
from moore_engine.data.catalogue import datasets_dir
from moore_engine.data.checked import Wanted
from moore_engine.data.transitions import Float32, Transitions

IMPORTER = 1
"""Rises whenever a reader makes another table, or other facts, of the same source."""

LIMIT_BYTES = 8 << 30
"""Most that the tables may take; those used longest ago go first."""

SMALLEST_SOURCE = 1 << 20
"""Sources below this are read as fast as their table would be."""

SPARE_BYTES = 1 << 30
SETTLED_NS = 2 * 10**9
BLOCK = 1 << 22
REMEMBERED = 1000

_ARRAYS = {"returns": np.float64, "lengths": np.int64}
_APART = ("layout", "table", "warnings")
_UNSOUND = (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, RuntimeError)


def folder() -> Path:
    """Where the tables are, which need not exist."""
    return datasets_dir().parent / "tables"


def load(
    name: str, file: Path, also: Sequence[str], wanted: Wanted, read: Callable[[str | None], Transitions]
) -> Transitions:
    """The data set `name`, from its table if there is a sound one, else by `read(sha256 of file)`, whose table is kept.

    `also` are further things that decide what is read, besides the content of `file`. Raises what `read` raises.
    """
    before = _signature(file)
    if before is None or before[0] < SMALLEST_SOURCE or not _has_home():
        return read(None)
    sha256 = _remembered(file, before) or _digest(file)
    if sha256 is None:
        return read(None)
    key = _key([sha256, *also], wanted)
    found = _fetch(key, name, wanted)
    if found is not None:
        return found
    data = read(sha256)
    if _signature(file) != before:  # the checksum is of other bytes than the rows
        return read(None)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        _remember(file, before, sha256)
        _store(key, data, wanted)
    except OSError as error:
        data.warnings.append(
            f"the cache {folder()} cannot be written ({error.strerror or error}), so {name} is read anew at each start."
        )
    return data


def _key(source: list[str], wanted: Wanted) -> str:
    bounds = [np.asarray(bound, np.float32).reshape(-1).tolist() for bound in (wanted.low, wanted.high)]
    parts = [IMPORTER, source, wanted.obs_dim, wanted.action_dim, bounds]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def _checks(name: str, wanted: Wanted) -> str | None:
    """What decides the warnings of a read with checks; None where they cannot be kept, for the code is the user's."""
    termination = wanted.termination
    module = "" if termination is None else termination.__module__
    if module not in ("", terminations.__name__):
        return None
    function = "" if termination is None else termination.__name__
    versions = [importlib.metadata.version(package) for package in ("gymnasium", "mujoco")]
    return json.dumps([name, wanted.task, function, _code(), *versions])


def _code() -> str:
    """Digest of the code that reads and checks."""
    digest = hashlib.sha256()
    for path in [*sorted(Path(__file__).parent.glob("*.py")), Path(terminations.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _fetch(key: str, name: str, wanted: Wanted) -> Transitions | None:
    """The data set of `key`; None if it is not there, damaged, or was never checked as it is wanted now."""
    path = folder() / f"{key}.json"
    try:
        entry = _read_entry(path)
        warnings = entry["warnings"][_checks(name, wanted) or ""] if wanted.checks else []
        facts = entry["facts"]
        facts |= {each: np.asarray(facts[each], dtype) for each, dtype in _ARRAYS.items()}
        facts["reference"] = tuple(facts["reference"]) if facts["reference"] else None
        table = _read_table(path.with_suffix(".f32"), entry["rows"], wanted.layout.width, entry["crc32"])
        facts |= {"layout": wanted.layout, "table": table, "path": name, "warnings": list(warnings)}
        found = Transitions(**facts)
    except _UNSOUND:
        return None
    _touch(path.with_suffix(".f32"))
    return found


def _read_entry(path: Path) -> dict[str, Any]:
    crc32, _, text = path.read_bytes().partition(b"\n")
    if int(crc32, 16) != zlib.crc32(text):
        raise ValueError(f"{path} is damaged")
    entry = json.loads(text)
    if not isinstance(entry, dict):
        raise ValueError(f"{path} holds no facts")
    return entry


def _read_table(path: Path, rows: int, width: int, crc32: int) -> Float32:
    if path.stat().st_size != 4 * rows * width:
        raise ValueError(f"{path} has another size")
    table = np.empty((rows, width), "<f4")
    into, crc = table.data.cast("B"), 0
    with path.open("rb", buffering=0) as file:
        done = 0
        while done < len(into):
            count = file.readinto(into[done : done + BLOCK])
            if not count:
                raise EOFError(f"{path} ends early")
            crc = zlib.crc32(into[done : done + count], crc)
            done += count
    if crc != crc32:
        raise ValueError(f"{path} is damaged")
    return table.astype(np.float32, copy=False)


def _store(key: str, data: Transitions, wanted: Wanted) -> None:
    table = np.ascontiguousarray(data.table, "<f4")
    if table.nbytes > LIMIT_BYTES // 2 or shutil.disk_usage(folder()).free < table.nbytes + SPARE_BYTES:
        return
    path = folder() / f"{key}.f32"
    crc32 = zlib.crc32(table.data.cast("B"))
    warnings = {}
    with contextlib.suppress(*_UNSOUND):
        entry = _read_entry(path.with_suffix(".json"))
        if entry["crc32"] == crc32:
            warnings = dict(entry["warnings"])
    checks = _checks(data.path, wanted) if wanted.checks else None
    if checks is not None:
        warnings[checks] = list(data.warnings)
    facts = {each.name: getattr(data, each.name) for each in fields(data) if each.name not in _APART}
    facts |= {name: facts[name].tolist() for name in _ARRAYS}
    _make_room(table.nbytes)
    _replace(path, table.data.cast("B"))
    entry = {"rows": len(table), "crc32": crc32, "facts": facts, "warnings": warnings}
    text = json.dumps(entry).encode()
    _replace(path.with_suffix(".json"), b"%08x\n" % zlib.crc32(text) + text)


def _make_room(needed: int) -> None:
    """Remove the tables used longest ago until `needed` bytes more stay within the limit, and what writers left."""
    tables = []
    for path in folder().iterdir():
        try:
            at = path.stat()
        except OSError:
            continue
        if path.suffix == ".f32":
            tables.append((at.st_mtime, at.st_size, path))
        elif path.name.startswith(".part-") and time.time() - at.st_mtime > 3600:
            path.unlink(missing_ok=True)
    total = needed + sum(size for _, size, _ in tables)
    for _, size, path in sorted(tables):
        if total <= LIMIT_BYTES:
            break
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        total -= size


def _signature(file: Path) -> list[int] | None:
    """What changes when a file does."""
    try:
        at = file.stat()
    except OSError:
        return None
    return [at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino]


def _memory(file: Path) -> Path:
    return folder() / "sources" / f"{hashlib.sha256(os.fsencode(file.resolve())).hexdigest()[:40]}.json"


def _remembered(file: Path, signature: list[int]) -> str | None:
    try:
        entry = json.loads(_memory(file).read_text(encoding="utf-8"))
        return str(entry["sha256"]) if entry["signature"] == signature else None
    except _UNSOUND:
        return None


def _remember(file: Path, signature: list[int], sha256: str) -> None:
    """Keep the checksum, unless the file changed so lately that its times might not show a further change."""
    if time.time_ns() - max(signature[1], signature[2]) < SETTLED_NS:
        return
    path = _memory(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, json.dumps({"path": str(file), "signature": signature, "sha256": sha256}).encode())
    others = sorted(path.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)
    for old in others[:-REMEMBERED]:
        old.unlink(missing_ok=True)


def _digest(file: Path) -> str | None:
    """sha256 of a file; None if it cannot be read, which its reader will tell better."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return None


def _replace(path: Path, content: bytes | memoryview) -> None:
    part = path.with_name(f".part-{path.name}-{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _has_home() -> bool:
    """Whether there is a folder for caches at all; a container's user may have none."""
    try:
        folder()
    except RuntimeError:
        return False
    return True


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(path)
