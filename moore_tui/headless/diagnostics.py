"""What goes wrong and what goes on, told on stderr: one sentence each, and the exit code that belongs to it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

from moore_engine.rundir import EXIT_FAILED, EXIT_RUNNING, EXIT_USAGE, AlreadyRunning, RunDirError
from moore_tui.runs.errors import ConsoleError

PROGRAM = "moore-console"


class Failure(Exception):
    """A command that cannot do what was asked: one sentence (what, where, remedy) and the exit code."""

    def __init__(self, sentence: str, code: int = EXIT_USAGE) -> None:
        super().__init__(sentence)
        self.exit_code = code


def say(text: str) -> None:
    """One line of narration on stderr; a terminal that is gone is no reason to stop."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def complain(error: BaseException) -> int:
    """Tell an error in one sentence on stderr; its exit code."""
    say(f"{PROGRAM}: {sentence(error)}")
    return code_of(error)


def usage(error: Exception) -> int:
    """Tell a command line that cannot be understood in one sentence, with the nearest name and where to look."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else PROGRAM
    text = " ".join(str(getattr(error, "format_message", error.__str__)()).split()).rstrip(".")
    known = getattr(getattr(context, "command", None), "commands", {})
    if text.startswith("No such command '"):
        unknown = text.split("'")[1]
        close = nearest(unknown, known)
        text = f"there is no command {unknown!r}{f'; did you mean {close}?' if close else ''}"
    say(f"{PROGRAM}: {text[:1].lower()}{text[1:]} ({where} --help shows what it takes)")
    return EXIT_USAGE


def code_of(error: BaseException) -> int:
    """Exit code of an error: its own if it has one, else by its class."""
    if isinstance(error, Failure | ConsoleError):
        return error.exit_code
    if isinstance(error, AlreadyRunning):
        return EXIT_RUNNING
    return EXIT_USAGE if isinstance(error, RunDirError) or _is_config_error(error) else EXIT_FAILED


def sentence(error: BaseException) -> str:
    """An error as one line; one that nobody foresaw names its class and how to see more."""
    if isinstance(error, Failure | ConsoleError | RunDirError) or _is_config_error(error):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        where = f" {error.filename}" if error.filename else ""
        return f"cannot use{where}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())} (MOORE_DEBUG=1 shows where)"


def _is_config_error(error: BaseException) -> bool:
    """Whether it is a ConfigError, without importing the configuration for commands that never need it."""
    presets = sys.modules.get("moore_engine.presets")
    return presets is not None and isinstance(error, presets.ConfigError)


def debugging() -> bool:
    """Whether tracebacks are wanted (--debug, or MOORE_DEBUG set to anything but 0)."""
    return os.environ.get("MOORE_DEBUG", "0") not in ("", "0")


def nearest(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names, or an empty string."""
    import difflib

    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return found[0] if found else ""
