"""What the tools' command lines share: exit codes, one-sentence errors, JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from typing import Any

from moore_engine.events import finite
from moore_engine.rundir import EXIT_CTRL_C, EXIT_NO_RUN, EXIT_USAGE, RunDir
from moore_engine.tools.table import folded, plain


def run_dir(path: str) -> RunDir:
    """The run at `path`; SystemExit 3 if there is none."""
    run = RunDir(path)
    if not run.exists():
        print(f"there is no run at {path}: its config.toml is missing", file=sys.stderr)
        raise SystemExit(EXIT_NO_RUN)
    return run


def answer(facts: dict[str, Any], as_json: bool, text: str) -> None:
    """Print `facts` as one JSON object, or the lines of `text` for a person, without what a terminal would obey."""
    if as_json:
        print(json.dumps(finite(facts)))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print("\n".join(folded(plain(line), width) for line in text.splitlines()))


def guarded(body: Callable[[], None]) -> int:
    """Run `body`; an error of the user's making becomes one sentence and exit code 2."""
    try:
        body()
    except KeyboardInterrupt:
        return EXIT_CTRL_C
    except BrokenPipeError:  # the reader left, as `| head` does; nothing may be flushed to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not isinstance(error, _foreseen()):
            raise
        print(plain(str(error)), file=sys.stderr)
        return EXIT_USAGE
    return 0


FORESEEN = {
    "moore_engine.presets": "ConfigError",
    "moore_engine.checkpoint": "CheckpointError",
    "moore_engine.data.errors": "DataError",
    "moore_engine.envs": "TaskError",
    "moore_engine.export": "ExportError",
    "moore_engine.start": "StartError",
    "moore_engine.terminations": "TerminationError",
    "moore_engine.tools.video": "VideoError",
    "moore_engine.trust": "TrustError",
}
"""Errors of the user's making, by the module that defines each: an error whose module was never imported cannot be."""


def _foreseen() -> tuple[type[Exception], ...]:
    return tuple(getattr(sys.modules[module], name) for module, name in FORESEEN.items() if module in sys.modules)
