"""Downloads that end in a whole, checked file under its name, or in a part that the next call goes on with.

D4RL's files come from their authors' server (MOORE_D4RL_URL names a mirror), Minari's sets from Hugging Face
(HF_ENDPOINT names a mirror); Minari's own downloader needs another package and 23 s to notice that there is no network.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from moore_engine.data import catalogue
from moore_engine.data.errors import DataError
from moore_engine.data.http_file import Answer, Missing, Offline, Passing, RangeGone, checked, reason, request
from moore_engine.data.part_file import PartFile, fault, locked

D4RL_URL = "http://rail.eecs.berkeley.edu/datasets/offline_rl"
HUGGING_FACE = "https://huggingface.co"
ORGANISATION = "farama-minari"
BLOCK = 1 << 16
HDF5 = b"\x89HDF\r\n\x1a\n"
LISTING_LIMIT = 1 << 22


class Progress(Protocol):
    """What is told while a file comes; tools.progress.Bar is one."""

    def update(self, done: int, total: int | None = None) -> None: ...

    def say(self, text: str) -> None: ...


@dataclass(frozen=True)
class Patience:
    """How long to try: a connection is given up after `stall_s` in which fewer than `stall_bytes` came, and the file
    after `tries` in a row that brought less than `advance` bytes between them, with waits that double in between."""

    stall_s: float = 20.0
    stall_bytes: int = 1024
    tries: int = 5
    advance: int = 1 << 20
    wait_s: float = 1.0
    longest_wait_s: float = 30.0
    sleep: Callable[[float], None] = time.sleep


def d4rl(name: str, progress: Progress, patience: Patience | None = None) -> tuple[Path, bool]:
    """Have D4RL's set `name` in the cache: its path, and whether it came just now. Raises DataError."""
    entry = catalogue.d4rl()[name]
    base = checked(os.environ.get("MOORE_D4RL_URL") or D4RL_URL).rstrip("/")
    urls = [f"{base}/{entry.source}"]
    if base != D4RL_URL:
        urls.append(f"{base}/{entry.source.rpartition('/')[2]}")  # mirrors are often one flat folder
    try:
        return entry.path, _first(urls, entry, progress, patience)
    except Offline as error:
        raise Offline(
            f"{name} cannot be downloaded here, for {error}: fetch {D4RL_URL}/{entry.source} "
            f"({entry.bytes / 1e6:.1f} MB) where there is a network, and put it at {entry.path}."
        ) from error


def _first(urls: list[str], entry: catalogue.D4RL, progress: Progress, patience: Patience | None) -> bool:
    """Fetch from the first of the addresses that has the file."""
    *others, last = urls
    for url in others:
        with contextlib.suppress(Missing):
            return fetch(url, entry.path, progress, entry.bytes, entry.sha256, patience)
    return fetch(last, entry.path, progress, entry.bytes, entry.sha256, patience)


def minari(name: str, progress: Progress, patience: Patience | None = None) -> tuple[Path, bool]:
    """Have Minari's set `name` (NAMESPACE/NAME-vN) where the minari package looks: its folder, and whether it came now.

    The folder appears when all its files are there and checked. Raises DataError.
    """
    repository, _, inside = name.partition("/")
    folder = catalogue.minari_dir() / name
    base = checked(os.environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/")
    page = f"datasets/{ORGANISATION}/{quote(repository)}"
    coming = folder.with_name(f".{folder.name}.download")
    with locked(folder, lambda: progress.say(f"{name} is being downloaded already; waiting for it")):
        if (folder / "data").is_dir():
            return folder, False
        try:
            for file in _listing(f"{base}/api/{page}/tree/main/{quote(inside)}?recursive=true", inside, name, patience):
                progress.say(f"{name}: {file.path}, {file.size / 1e6:.1f} MB")
                url = f"{base}/{page}/resolve/main/{quote(inside)}/{quote(file.path)}"
                fetch(url, coming / file.path, progress, file.size, file.sha256, patience)
                if file.git_sha1 and file.git_sha1 != _git_sha1(coming / file.path):
                    (coming / file.path).unlink()
                    raise DataError(f"what came from {url} is not the file that the server lists: try again.")
        except Offline as error:
            raise Offline(
                f"{name} cannot be downloaded here, for {error}: fetch the folder {inside} of {HUGGING_FACE}/{page} "
                f"where there is a network, and put it at {folder}."
            ) from error
        coming.replace(folder)
    return folder, True


def fetch(
    url: str,
    target: Path,
    progress: Progress,
    size: int | None = None,
    sha256: str | None = None,
    patience: Patience | None = None,
) -> bool:
    """Have the file of `url` at `target`; False if it was there already, whole.

    `size` and `sha256` are what it must have, where known. Raises Offline where no connection could be made, DataError
    for everything else; what has come by then is kept and gone on from, unless it is proven wrong.
    """
    patience = patience or Patience()
    with locked(target, lambda: progress.say(f"{target.name} is being downloaded already; waiting for it")):
        if target.exists():
            if wrong := fault(target, size, sha256):
                raise DataError(f"{target} is there but {wrong}: delete it and download it anew.")
            return False
        part = PartFile(target, url)
        part.take_up(size, proven=sha256 is not None)
        resumed = part.size > 0
        while True:
            _bring(part, progress, size, sha256 is not None, patience)
            wrong = fault(part.path, size if size is not None else part.total, sha256)
            if not wrong:
                break
            part.drop()
            if not resumed:
                raise DataError(f"what came from {url} {wrong}: the server has another file; use another server.")
            progress.say(f"{target.name}: its parts do not fit together; fetching it anew")
            resumed = False
        part.finish()
    return True


def _bring(part: PartFile, progress: Progress, size: int | None, proven: bool, patience: Patience) -> None:
    """Try until the part is whole; `proven` says that a checksum will show parts that do not fit together."""
    failures, mark, connected = 0, part.size, False
    while True:
        try:
            if _try_once(part, progress, size, proven, patience):
                return
            failure = Passing(f"the connection ended after {part.size:,} bytes")
        except Passing as error:
            failure = error
        except Offline as error:
            if not connected:
                raise
            failure = Passing(str(error))
        connected = True
        if part.size >= mark + patience.advance:
            failures, mark = 0, part.size
        failures += 1
        if failures >= patience.tries:
            kept = f"; the {part.size:,} bytes that came are kept, and the same command goes on" if part.size else ""
            raise DataError(f"{part.url} could not be fetched in {failures} tries ({failure}){kept}.")
        wait = min(max(patience.wait_s * 2 ** (failures - 1), failure.wait_s), patience.longest_wait_s)
        progress.say(f"{part.target.name}: {failure}; trying again in {wait:.0f} s")
        patience.sleep(wait)


def _try_once(part: PartFile, progress: Progress, size: int | None, proven: bool, patience: Patience) -> bool:
    """Ask for what is missing and take in what comes; whether the file is whole then."""
    start = part.size
    if start and not (part.validator or proven):
        start = 0
    if start and start == size:
        return True
    try:
        answer = request(part.url, patience.stall_s, start=start, validator=part.validator)
    except RangeGone as gone:
        if gone.total == start:
            part.total = start
            return True
        part.drop()
        raise Passing("the file on the server has changed") from None
    with answer.body:
        _accept(part, answer, size)
        total = size if size is not None else answer.total
        part.begin(answer.start, answer.validator, total)
        _receive(part, answer, total, progress, patience)
    return total is None or part.size == total


def _accept(part: PartFile, answer: Answer, size: int | None) -> None:
    """Refuse an answer of another length than the file must have, and a continuation of another version."""
    if size is not None and answer.total not in (None, size):
        raise DataError(
            f"{part.url} has {answer.total:,} bytes and the file that is wanted {size:,}: use another server."
        )
    if answer.start and (
        (part.validator and answer.validator and answer.validator != part.validator)
        or (part.total is not None and answer.total not in (None, part.total))
    ):
        part.drop()
        raise Passing("the file on the server has changed")


def _receive(part: PartFile, answer: Answer, total: int | None, progress: Progress, patience: Patience) -> None:
    """Append the body, while it keeps coming."""
    done, since, seen = answer.start, time.monotonic(), answer.start
    progress.update(done, total)
    with part.appending(answer.start) as append:
        while True:
            try:
                block = answer.body.read1(BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise Passing(reason(error)) from error
            if not block:
                return
            if done == 0 and part.target.suffix == ".hdf5" and not block.startswith(HDF5[: len(block)]):
                raise DataError(f"{part.url} is not an HDF5 file, it begins with {block[:16]!r}: use another server.")
            if total is not None and done + len(block) > total:
                raise DataError(f"{part.url} sends more than the {total:,} bytes it should: use another server.")
            append(block)
            done += len(block)
            progress.update(done, total)
            now = time.monotonic()
            if now - since > patience.stall_s:
                if done - seen < patience.stall_bytes:
                    raise Passing(f"only {done - seen} bytes came in {now - since:.0f} s")
                since, seen = now, done


@dataclass(frozen=True)
class _Listed:
    """A file of a Hugging Face folder, its path relative to that; large ones have a sha256, others git's sha1."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None


def _listing(url: str, inside: str, name: str, patience: Patience | None) -> list[_Listed]:
    """What the folder of a Minari set holds, its large files last; Missing if there is no such set."""
    server = url.partition("/api/")[0]
    no_such = f"there is no Minari set {name} on {server}; `moore-console data list --remote` names some."
    try:
        with request(url, (patience or Patience()).stall_s).body as body:
            text = body.read(LISTING_LIMIT)
    except Offline:
        raise
    except DataError as error:  # Hugging Face answers 401, not 404, for what does not exist
        raise Missing(no_such) from error
    except (Passing, OSError, http.client.HTTPException) as error:
        raise Offline(f"{server} does not answer ({reason(error)})") from error
    try:
        files = [_entry(each, inside) for each in json.loads(text) if each["type"] == "file"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{url} does not answer with a list of files: check HF_ENDPOINT.") from error
    wanted = sorted((each for each in files if each.path.startswith("data/")), key=lambda each: each.size)
    if not wanted:
        raise Missing(no_such)
    return wanted


def _entry(entry: Any, inside: str) -> _Listed:
    path, large = str(entry["path"]), entry.get("lfs")
    relative = path.removeprefix(f"{inside}/")
    if relative == path or not re.fullmatch(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*", relative):
        raise ValueError(f"a file {path!r} that is not inside {inside}")
    if large:
        return _Listed(relative, int(large["size"]), str(large["oid"]), None)
    return _Listed(relative, int(entry["size"]), None, str(entry["oid"]))


def _git_sha1(path: Path) -> str:
    """git's name of a file's content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
