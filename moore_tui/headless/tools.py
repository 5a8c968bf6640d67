"""Commands that are the engine's own programs (they need torch): this process becomes that one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from moore_tui.runs.engine import command, environment


def become(tool: str, *arguments: str, **options: Any) -> NoReturn:
    """Replace this process by `python -m moore_engine.tools.TOOL`: terminal, signals and exit code are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [*command(tool), *arguments, *flags(options)], environment())


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
