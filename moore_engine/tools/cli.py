"""What the tools' command lines share: exit codes, one-sentence errors, JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from moore_engine.config import ConfigError
from moore_engine.events import finite
from moore_engine.rundir import EXIT_CTRL_C, EXIT_NO_RUN, EXIT_USAGE, RunDir


def run_dir(path: str) -> RunDir:
    """The run at `path`; SystemExit 3 if there is none."""
    run = RunDir(path)
    if not run.exists():
        print(f"there is no run at {path}: its config.toml is missing", file=sys.stderr)
        raise SystemExit(EXIT_NO_RUN)
    return run


def answer(facts: dict[str, Any], as_json: bool, text: str) -> None:
    """Print `facts` as one JSON object, or `text` for a person."""
    print(json.dumps(finite(facts)) if as_json else text)


def guarded(body: Callable[[], None]) -> int:
    """Run `body`; an error of the user's making becomes one sentence and exit code 2."""
    from moore_engine.checkpoint import CheckpointError
    from moore_engine.envs import TaskError
    from moore_engine.export import ExportError
    from moore_engine.start import StartError
    from moore_engine.tools.video import VideoError

    try:
        body()
    except (ConfigError, CheckpointError, TaskError, StartError, ExportError, VideoError) as error:
        print(str(error), file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_CTRL_C
    except BrokenPipeError:  # the reader left, as `| head` does; nothing may be flushed to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
