"""The trainer: `python -m moore_engine RUN_DIR`. A finished run exits 0 at once, an unfinished one goes on.

Signal handlers stand before torch is imported: by default the signals would kill a starting trainer.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback

from moore_engine.config import ConfigError
from moore_engine.rundir import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_NO_RUN,
    EXIT_RUNNING,
    EXIT_STOPPED,
    EXIT_USAGE,
    AlreadyRunning,
    Lock,
    RunDir,
    Superseded,
    read_json,
)
from moore_engine.session import Session, Stopped

_heard: list[int] = []
"""Signals that came before the session listened."""


def main(argv: list[str]) -> int:
    if len(argv) != 1:
        return _refuse("usage: python -m moore_engine RUN_DIR", EXIT_USAGE)
    run = RunDir(argv[0])
    if not run.exists():
        return _refuse(f"there is no run at {run.path}: its config.toml is missing", EXIT_NO_RUN)
    try:
        lock = Lock(run)
    except AlreadyRunning as error:
        return _refuse(str(error), EXIT_RUNNING)
    except OSError as error:
        return _refuse(f"cannot write in {run.path}: {error.strerror}", EXIT_USAGE)
    try:
        if (read_json(run.state) or {}).get("status") == "done" and not _extension(run):
            return EXIT_DONE
        return _attempt(run)
    finally:
        lock.release()


def _attempt(run: RunDir) -> int:
    """One attempt at the run, under its lock."""
    try:
        session = Session(run)
    except ConfigError as error:
        return _refuse(str(error), EXIT_USAGE)
    session.listen(_heard)
    _still_threads()
    from moore_engine.start import StartError

    try:
        _work(session)
    except Stopped:
        session.close("stopped", EXIT_STOPPED)
        return EXIT_STOPPED
    except StartError as error:
        session.close("failed", EXIT_USAGE, str(error))
        return _refuse(str(error), EXIT_USAGE)
    except Superseded as error:
        return _refuse(str(error), EXIT_RUNNING)
    except Exception as error:
        traceback.print_exc()
        session.close("failed", EXIT_FAILED, f"{type(error).__name__}: {error}")
        return EXIT_FAILED
    session.close("done", EXIT_DONE)
    return EXIT_DONE


def _work(session: Session) -> None:
    """What the run's algorithm does, to its end."""
    if session.config.run.algo == "collect":
        from moore_engine.collect import start as collecting

        collecting.run(session)
        return
    from moore_engine.start import start
    from moore_engine.train import train

    train(start(session), session)


def _extension(run: RunDir) -> bool:
    """Whether a console asked this finished run for more epochs."""
    from moore_engine import control

    return any(request.verb == "set" and request.args.get("key") == "online.epochs" for request in control.pending(run))


def _still_threads() -> None:
    """No library may choose its number of threads, or split a sum differently, while it runs."""
    for name, value in {"OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}.items():
        os.environ[name] = value


def _refuse(sentence: str, exit_code: int) -> int:
    print(f"moore_engine: {sentence}", file=sys.stderr, flush=True)
    return exit_code


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda got, _: _heard.append(got))
    sys.exit(main(sys.argv[1:]))
