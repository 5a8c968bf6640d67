"""Events: one JSON object a line in events.jsonl, written by the trainer alone, read by everyone.

A kind may gain fields, never lose or rename one within version 1. NaN and infinities travel as strings.
"""

from __future__ import annotations

import errno
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

VERSION = 1

KINDS: dict[str, tuple[str, ...]] = {
    "run": ("algo", "task", "dataset", "sha256", "seed", "config_sha256", "resumed_seq", "versions", "cpu"),
    "stage": ("from", "to"),
    "eval": ("score", "return_mean", "return_std", "returns", "length_mean"),
    "share": ("p_off", "p_off_sampled", "priority_off", "n_off", "n_on", "shift"),
    "unc": ("mean", "p20", "p80", "reward_raw", "reward_penalised"),
    "rue": ("value", "u_before", "u_after", "eta"),
    "model": ("holdout", "elites", "epochs", "updates", "capped", "ess"),
    "loss": ("q", "actor", "temperature", "entropy", "q_mean"),
    "data": ("rows", "episodes", "return_mean", "return_std"),
    "perf": ("env_steps_per_s", "updates_per_s", "phases", "rss_mb", "eta_s"),
    "ckpt": ("path", "bytes", "seconds"),
    "ack": ("id", "verb", "ok", "why"),
    "warn": ("what",),
    "end": ("state", "exit"),
}
"""Every kind and the fields it always has."""

OUTSIDE_REPLAY = ("perf", "ckpt", "ack", "warn", "run")
"""Kinds that may differ between an interrupted run and the uninterrupted one."""

DIGITS = 7
"""Significant digits of an event's numbers: all that float32 has, in half the bytes."""

POSITION = ("stage", "epoch", "update", "env_step")
"""Where in the run an event happened; the trainer supplies it."""


class EventWriter:
    """Appends events to a run's file; each line is one write, so readers see whole lines but for a torn last one."""

    def __init__(
        self, path: Path, attempt: int, position: Callable[[], dict[str, Any]], check: Callable[[], None]
    ) -> None:
        """Cut a torn last line off and continue the numbering.

        `position` gives the POSITION fields; `check` raises when this attempt no longer owns the run.
        """
        self._attempt, self._position, self._check = attempt, position, check
        self.seq = _repair(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def emit(self, kind: str, **fields: Any) -> None:
        """Append one event; raises ValueError when `kind` lacks one of its fields."""
        missing = [name for name in KINDS[kind] if name not in fields]
        if missing:
            raise ValueError(f"event {kind!r} lacks {', '.join(missing)}")
        self._check()
        head = {"v": VERSION, "seq": self.seq + 1, "att": self._attempt, "t": round(time.time(), 3)}
        line = json.dumps({**head, **self._position(), "k": kind, **finite(fields, DIGITS)}, separators=(",", ":"))
        data, end = line.encode() + b"\n", os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._fd, end)  # a part of a line would spoil the next one
            raise
        self.seq += 1

    def fsync(self) -> None:
        """Return once every event so far would outlive a power cut."""
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def finite(value: Any, digits: int = 17) -> Any:
    """`value` with every NaN and infinity as the strings "nan", "inf", "-inf" (JSON has none), floats to `digits`."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: finite(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item, digits) for item in value]
    return value


def parse(line: bytes | str) -> dict[str, Any] | None:
    """One event, or None for a line that is not one (readers count and skip it)."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("k"), str) or not isinstance(event.get("seq"), int):
        return None
    return event


def read(path: Path) -> Iterator[dict[str, Any]]:
    """All whole, good lines of a file in order, dead attempts included."""
    with open(path, "rb") as file:
        for line in file:
            if line.endswith(b"\n") and (event := parse(line)) is not None:
                yield event


def visible(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without those of dead attempts.

    A `run` event says with `resumed_seq` which event its checkpoint had seen last; later ones before it are hidden.
    """
    alive: list[dict[str, Any]] = []
    for event in events:
        if event["k"] == "run" and isinstance(event.get("resumed_seq"), int):
            while alive and alive[-1]["seq"] > event["resumed_seq"]:
                alive.pop()
        alive.append(event)
    return alive


def _repair(path: Path) -> int:
    """Truncate a torn last line; the highest seq in the file (0 for none)."""
    if not path.exists():
        return 0
    with open(path, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        end, tail = size, b""
        while end > 0 and b"\n" not in tail:
            step = min(65536, end)
            end -= step
            file.seek(end)
            tail = file.read(step) + tail
        whole = end + tail.rfind(b"\n") + 1
        if whole < size:
            file.truncate(whole)
    last = 0
    for event in _last_events(path):
        last = max(last, event["seq"])
    return last


def _last_events(path: Path, window: int = 1 << 20) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - window))
        for line in file.read().splitlines():
            if (event := parse(line)) is not None:
                yield event
