"""The measured parts of a run: every one takes some time, more where the networks are larger."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from moore_engine import config
from moore_engine.tools.pace import pace

PARTS = ("update", "minibatch", "transition", "action", "step")


def request(*sets: str) -> dict[str, Any]:
    return {"config": config.dumps(config.resolve("quickstart", sets=sets).config), "trust": []}


def test_every_part_is_measured_and_larger_networks_take_longer() -> None:
    small, large = pace(request(), 0.05), pace(request("sac.hidden=[512,512]", "model.hidden=[256,256]"), 0.05)
    assert set(small) == {*PARTS, "limit"} and small["limit"] == 1000
    for part in PARTS:
        assert 0 < (small[part] or 0.0) < 10
    for part in ("update", "minibatch", "transition"):
        assert (large[part] or 0.0) > (small[part] or 0.0)


def test_what_cannot_be_measured_is_one_sentence_and_exit_code_2() -> None:
    command, asked = [sys.executable, "-m", "moore_engine.tools.pace"], json.dumps(request("data.task=Nowhere-v9"))
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Nowhere-v9" in done.stderr and len(done.stderr.splitlines()) == 1
