"""`moore-console`: reads the command line, runs one command, and turns errors into one sentence and an exit code.

Nothing heavy is imported here: looking and steering answer without torch, numpy, textual, rich or typer, and the
console opens without typer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from moore_engine.rundir import EXIT_CTRL_C, EXIT_DONE
from moore_tui.headless import diagnostics, quick


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code; tracebacks are shown only with --debug or MOORE_DEBUG=1."""
    sys.exit(call(sys.argv[1:] if arguments is None else arguments))


def call(arguments: Sequence[str]) -> int:
    """Exit code of a command line, without the name of the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        found = quick.read(arguments)
        if found is not None:
            command, values = found
            return command(**values)
        return full(arguments)
    except KeyboardInterrupt:
        return EXIT_CTRL_C
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except Exception as error:
        if diagnostics.debugging():
            raise
        return diagnostics.complain(error)


def full(arguments: Sequence[str]) -> int:
    """Any command line, read by Typer."""
    import typer

    from moore_tui.headless.commands import app

    try:
        code = app(list(arguments), prog_name=diagnostics.PROGRAM, standalone_mode=False)
    except typer.Abort:
        return EXIT_CTRL_C
    except typer.TyperException as error:
        return diagnostics.usage(error)
    return code if isinstance(code, int) else EXIT_DONE
