"""Commands that are the engine's own programs (they need torch): this process becomes that one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import moore_tui


def become(tool: str, *arguments: str, **options: Any) -> NoReturn:
    """Replace this process by `python -m moore_engine.tools.TOOL`: terminal, signals and exit code are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [*command(tool), *arguments, *flags(options)], environment())


def command(tool: str) -> list[str]:
    """Command line of a tool; -P keeps the working directory, which may hold anything, out of its imports."""
    return [sys.executable, "-P", "-m", f"moore_engine.tools.{tool}"]


def environment() -> dict[str, str]:
    """This process's, with the packages found when they run from a checkout."""
    root = Path(moore_tui.__file__).resolve().parent.parent
    if root.name in ("site-packages", "dist-packages"):
        return dict(os.environ)
    paths = [str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def flags(options: Mapping[str, Any]) -> list[str]:
    """Options as a command line: None and False are left out, True is the bare flag."""
    words = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return words
