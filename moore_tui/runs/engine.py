"""The engine's own programs (they need torch) as processes: their command lines and their environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import moore_tui


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
