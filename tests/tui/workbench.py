"""Launching in a test: the engine's check and measurement are scripts that answer as told, the trainer only counts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tui.console_process import Console

PREPARE = """
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
request = json.load(sys.stdin)
with open(folder / "asked.jsonl", "a") as file:
    file.write(json.dumps(request) + "\\n")
told = json.loads((folder / "told.json").read_text())
for words, sentence in told["refuse"].items():
    if words in request["config"] and not set(request["trust"]) & set(told["trusted"]):
        sys.exit(print(sentence, file=sys.stderr) or 2)
config = request["config"].replace('threads = "auto"', "threads = 1")
answer = {"rows": told["rows"], "disk_mb": 42, "warnings": told["warnings"], "dataset": "the set"}
json.dump({"config": config, **answer}, sys.stdout)
"""
PACE = """
import json, sys
json.load(sys.stdin)
paces = {"update": 1e-3, "online_update": 1e-3, "minibatch": 0, "transition": 0, "action": 0, "step": 0, "limit": None}
json.dump(paces, sys.stdout)
"""


class Workbench:
    """`tell` changes the check's answers; `asked` are the requests that it got."""

    def __init__(self, console: Console) -> None:
        self.console, self.folder, self.runs = console, console.folder, console.runs
        (self.folder / "prepare.py").write_text(PREPARE)
        (self.folder / "pace.py").write_text(PACE)
        self.tell()

    def tell(
        self, *, rows: int = 4000, refuse: dict[str, str] | None = None, trusted: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """`refuse` maps words of a configuration to the sentence that refuses it, unless one of `trusted` is."""
        told = {"rows": rows, "refuse": refuse or {}, "trusted": trusted, "warnings": warnings}
        (self.folder / "told.json").write_text(json.dumps(told))

    @property
    def asked(self) -> list[dict[str, Any]]:
        path = self.folder / "asked.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def made(self) -> list[str]:
        return sorted(path.parent.name for path in self.runs.glob("*/config.toml"))


@contextmanager
def workbench(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """In `folder`, which becomes the working directory; what was started is killed in the end."""
    console = Console(folder)
    console.env["MOORE_PACE"] = f"{sys.executable} {folder / 'pace.py'}"
    for name, value in console.env.items():
        if name.startswith("MOORE_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    try:
        yield Workbench(console)
    finally:
        console.close()
