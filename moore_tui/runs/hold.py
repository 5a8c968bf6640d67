"""The mark `control/hold`: as long as it stands, no keeper starts the trainer again.

A console sets it before it kills a trainer; whoever launches the run takes it away.
"""

from __future__ import annotations

from moore_engine.rundir import RunDir, write_atomic

KILLED, STOPPED = "killed", "stopped"


def put(run: RunDir, why: str) -> None:
    """Set the mark; `why` is KILLED or STOPPED, for the record."""
    run.control.mkdir(exist_ok=True)
    write_atomic(run.control / "hold", why + "\n")


def reason(run: RunDir) -> str | None:
    """Why the run is held, or None if it is not."""
    try:
        return (run.control / "hold").read_text(encoding="utf-8").strip() or "held"
    except (OSError, ValueError):
        return None


def lift(run: RunDir) -> None:
    """Take the mark away, if there is one."""
    (run.control / "hold").unlink(missing_ok=True)
