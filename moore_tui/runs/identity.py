"""Is a recorded process still there, and how to signal it: by (host, boot id, pid, start ticks), never by pid alone.

A pid may be another program's by now, so a signal goes through a pidfd that is opened first and checked after.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from moore_engine.rundir import RunDir, boot_id, read_json, start_ticks

ALIVE, DEAD, ELSEWHERE = "alive", "dead", "elsewhere"

Identity = Mapping[str, Any]
"""What `moore_engine.rundir.this_process` wrote: host, boot, pid, start, nonce."""


def condition(identity: Identity | None) -> str:
    """ALIVE, DEAD, or ELSEWHERE for a process of another host, of which nothing can be known from here.

    A missing or malformed identity is DEAD: nobody can be signalled by it.
    """
    if not identity or not isinstance(identity.get("pid"), int) or not isinstance(identity.get("start"), int):
        return DEAD
    if identity.get("host") != host():
        return ELSEWHERE
    if identity.get("boot") != _boot():
        return DEAD
    return ALIVE if start_ticks(identity["pid"]) == identity["start"] else DEAD


def alive(identity: Identity | None) -> bool:
    """Whether the process runs on this host now."""
    return condition(identity) == ALIVE


def halted(identity: Identity | None) -> bool:
    """Whether a living process of this host stands still because a signal stopped it (SIGSTOP, a debugger)."""
    if not identity or not alive(identity):
        return False
    try:
        text = Path(f"/proc/{identity['pid']}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("T", "t")


def same(one: Identity | None, other: Identity | None) -> bool:
    """Whether two records mean one process; the nonce is its writer's and does not count."""
    keys = ("host", "boot", "pid", "start")
    return bool(one and other) and all(one.get(key) == other.get(key) for key in keys)  # type: ignore[union-attr]


def identify(pid: int) -> dict[str, Any]:
    """Record of another process of this host (a child, say); start is None if it is gone."""
    return {"host": host(), "boot": _boot(), "pid": pid, "start": start_ticks(pid), "nonce": ""}


def open_pidfd(identity: Identity | None) -> int | None:
    """A descriptor of exactly this process, readable at its end, or None when it is not alive on this host."""
    if not identity or not alive(identity):
        return None
    try:
        fd = os.pidfd_open(identity["pid"])
    except ProcessLookupError:
        return None
    if alive(identity):
        return fd
    os.close(fd)
    return None


def send(identity: Identity | None, sig: int) -> bool:
    """Signal exactly this process; False when it is gone or on another host. PermissionError if it is not ours."""
    fd = open_pidfd(identity)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, sig)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def doorbell(run: RunDir) -> bool:
    """Ask the trainer to look at control/ now (SIGUSR1); False where there is none within reach.

    Only for a state that a trainer wrote: by then its handler stands.
    """
    try:
        return send((read_json(run.state) or {}).get("identity"), signal.SIGUSR1)
    except PermissionError:
        return False


@cache
def host() -> str:
    """This host's name."""
    return os.uname().nodename


@cache
def _boot() -> str:
    return boot_id()
