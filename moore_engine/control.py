"""Control by files: consoles write `control/req-<ulid>.json`, the trainer answers with `control/ack-<ulid>.json`.

Works on network file systems, survives restarts, leaves a record. SIGUSR1 to the trainer is a doorbell only.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moore_engine.rundir import RunDir, read_json, write_json

VERBS = ("pause", "resume", "checkpoint", "stop", "set")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Request:
    """One wish of a console: `verb` with `args` (for `set`: {"key": ..., "value": ...}), `by` whom, when (unix s)."""

    id: str
    verb: str
    args: dict[str, Any] = field(default_factory=dict)
    by: str = ""
    t: float = 0.0


_newest = 0
"""The last id made here, as a number."""


def ulid() -> str:
    """A sortable id: 48 bits of milliseconds and 80 random bits in Crockford's base 32 (26 characters).

    Ids of one process sort in the order they were made, within a millisecond too.
    """
    global _newest
    _newest = max(_newest + 1, (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big"))
    return "".join(_CROCKFORD[(_newest >> shift) & 31] for shift in range(125, -1, -5))


def post(run: RunDir, verb: str, *, by: str = "", **args: Any) -> Request:
    """Write a request; the trainer finds it at its next look."""
    request = Request(ulid(), verb, args, by, round(time.time(), 3))
    run.control.mkdir(exist_ok=True)
    body = {"id": request.id, "verb": verb, "args": args, "by": by, "t": request.t}
    write_json(run.control / f"req-{request.id}.json", body)
    return request


def pending(run: RunDir) -> list[Request]:
    """Requests without an acknowledgement, oldest first."""
    try:
        names = {path.name for path in run.control.iterdir()}
    except OSError:
        return []
    ids = sorted(name[4:-5] for name in names if name.startswith("req-") and name.endswith(".json"))
    return [_read(run.control / f"req-{i}.json", i) for i in ids if f"ack-{i}.json" not in names]


def acknowledge(run: RunDir, request: Request, ok: bool, why: str = "", **at: Any) -> None:
    """Answer a request, durably; `at` says where in the run it took effect."""
    body = {"id": request.id, "verb": request.verb, "args": request.args, "ok": ok, "why": why, "t": time.time(), **at}
    write_json(run.control / f"ack-{request.id}.json", body)


def acknowledgement(run: RunDir, request_id: str) -> dict[str, Any] | None:
    """The answer to a request, or None as long as there is none."""
    return read_json(run.control / f"ack-{request_id}.json")


def acknowledged(run: RunDir, verb: str) -> list[dict[str, Any]]:
    """All granted requests of one verb, oldest first."""
    found = [read_json(path) for path in sorted(run.control.glob("ack-*.json"))]
    return [ack for ack in found if ack and ack.get("verb") == verb and ack.get("ok")]


def _read(path: Path, request_id: str) -> Request:
    """A request as written; one that cannot be read becomes a verb nobody knows, and so is refused with a reason."""
    try:
        body = json.loads(path.read_bytes())
        return Request(request_id, str(body["verb"]), dict(body.get("args", {})), str(body.get("by", "")), body["t"])
    except (OSError, ValueError, KeyError, TypeError):
        return Request(request_id, "unreadable")
