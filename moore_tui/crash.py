"""When the console itself breaks: one sentence for the person, the traceback in a file for whoever mends it."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from moore_engine.rundir import EXIT_FAILED, write_atomic
from moore_tui import settings
from moore_tui.headless.diagnostics import PROGRAM, say


def tell(error: BaseException, env: Mapping[str, str] = os.environ) -> int:
    """Keep the error's traceback and say on stderr where it is; the exit code. The terminal must be whole again."""
    error = _root(error)
    say(f"{PROGRAM}: the console broke: {named(error)}; the runs go on; {kept(error, env)}")
    return EXIT_FAILED


def named(error: BaseException) -> str:
    """An error in one line, with its kind."""
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")


def kept(error: BaseException, env: Mapping[str, str] = os.environ) -> str:
    """Keep the error's traceback; says where it is, or why it is nowhere."""
    try:
        return f"details are in {_keep(error, log(env))}"
    except OSError as trouble:
        return f"details cannot be kept ({trouble.strerror}), MOORE_DEBUG=1 shows them"


def log(env: Mapping[str, str] = os.environ) -> Path:
    """The file that holds the newest traceback."""
    return settings.folder(env, "XDG_STATE_HOME", ".local/state") / "crash.log"


def _keep(error: BaseException, path: Path) -> Path:
    text = time.strftime("%Y-%m-%d %H:%M:%S %z\n") + "".join(traceback.format_exception(error))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode(errors="backslashreplace").decode())
    return path


def _root(error: BaseException) -> BaseException:
    """The error itself, where Textual tells only that a worker had one."""
    from textual.worker import WorkerFailed

    return error.error if isinstance(error, WorkerFailed) else error
