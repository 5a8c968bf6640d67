"""What keeps the console small leaves Python as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.strip()


def test_asyncio_comes_without_ssl_which_can_still_be_imported() -> None:
    code = "import sys; from moore_tui import memory; memory.spare(); "
    assert printed(code + "print('asyncio' in sys.modules, 'ssl' in sys.modules)") == "True False"
    assert printed(code + "import ssl; print(ssl.OPENSSL_VERSION_INFO[0] > 0)") == "True"


def test_an_asyncio_that_is_there_is_left_alone() -> None:
    code = "import asyncio, sys; from moore_tui import memory; memory.spare(); print('ssl' in sys.modules)"
    assert printed(code) == "True"
