"""The measured parts of a run: every one takes some time, more where the networks are larger."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from moore_engine import config
from moore_engine.tools.pace import pace

PARTS = ("update", "online_update", "minibatch", "transition", "action", "step")


def request(*sets: str, **flags: str) -> dict[str, Any]:
    return {"config": config.dumps(config.resolve("quickstart", sets=sets, flags=flags).config), "trust": []}


def test_every_part_is_measured_and_larger_networks_take_longer() -> None:
    small, large = pace(request(), 0.05), pace(request("sac.hidden=[512,512]", "model.hidden=[256,256]"), 0.05)
    assert set(small) == {*PARTS, "limit"} and small["limit"] == 1000
    for part in PARTS:
        assert 0 < (small[part] or 0.0) < 10
    for part in ("update", "minibatch", "transition"):
        assert (large[part] or 0.0) > (small[part] or 0.0)


@pytest.mark.parametrize("algo", ["mopo", "mbpo", "awac", "awac-authors", "balanced_replay", "cql"])
def test_every_algorithm_is_measured_by_its_own_updates(algo: str) -> None:
    found = pace(request(algo=algo), 0.02)
    models = algo in ("mopo", "mbpo")
    assert {part: (found[part] or 0.0) > 0.0 for part in PARTS} == {
        part: models or part not in ("minibatch", "transition") for part in PARTS
    }


def test_conservative_updates_cost_more_offline_than_the_plain_ones_online() -> None:
    found = pace(request("cql.actions=40", algo="cql"), 0.1)
    assert (found["update"] or 0.0) > 1.5 * (found["online_update"] or 0.0) > 0.0


def test_what_cannot_be_measured_is_one_sentence_and_exit_code_2() -> None:
    command, asked = [sys.executable, "-m", "moore_engine.tools.pace"], json.dumps(request("data.task=Nowhere-v9"))
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Nowhere-v9" in done.stderr and len(done.stderr.splitlines()) == 1
