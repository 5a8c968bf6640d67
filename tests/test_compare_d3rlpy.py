"""scripts/compare_d3rlpy: its arithmetic, its rows, and our side through the pipe, standing in for both."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.test_scripts import ROOT, script


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    return script("compare_d3rlpy")


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_every_contender_is_an_algorithm_of_its_side(compare: ModuleType, side: str) -> None:
    tree = ast.parse((ROOT / "scripts" / "sides" / f"{side}.py").read_text())
    served = [
        ast.unparse(key)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "serve" and isinstance(node.args[0], ast.Dict)
        for key in node.args[0].keys
        if key is not None
    ]
    contenders = [c for every in compare.CONTENDERS.values() for c in every if c.side == side]
    assert contenders
    assert {repr(c.algo) for c in contenders} <= set(served)


def test_an_episode_ends_at_a_terminal_and_where_the_next_row_does_not_go_on(compare: ModuleType) -> None:
    obs = [[0.0], [1.0], [5.0], [6.0], [9.0]]
    next_obs = [[1.0], [2.0], [6.0], [9.0], [10.0]]
    terminal = [[0.0], [0.0], [1.0], [0.0], [0.0]]
    zeros = np.zeros((5, 2))
    table = np.concatenate([obs, zeros, next_obs, zeros[:, :1], terminal], 1).astype(np.float32)
    rows = compare.episodes_of(table, 1, 2)
    assert rows["end"].tolist() == [False, True, True, False, True]
    assert rows["terminal"].tolist() == [0, 0, 1, 0, 0]
    assert rows["next_obs"].shape == (5, 1) and rows["action"].shape == (5, 2)


def test_a_ratio_says_how_many_times_ours_is_as_fast(compare: ModuleType) -> None:
    assert compare.ratios([1.0, 2.0], [3.0, 3.0]) == [3.0, 1.5]
    assert compare.spread([3.0, 1.5, 2.0], ".1f") == "2.0 (1.5 to 3.0)"


def test_a_difference_comes_with_welchs_interval_over_seeds(compare: ModuleType) -> None:
    # means 2 and 0, variances 1 and 3: standard error sqrt(4 / 3), times 4.30
    assert compare.difference([1.0, 2.0, 3.0], [-(3**0.5), 0.0, 3**0.5]) == "+2 (-3 to +7)"
    assert compare.difference([5.0], [3.0]) == "+2"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_both_sides_are_measured_in_turn_and_scored_after_equal_updates(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ours = compare.Contender("ours", "ours", "awac")
    monkeypatch.setattr(compare, "CONTENDERS", {"awac": [ours, compare.Contender("again", "ours", "awac")]})
    asked: list[tuple[int, str]] = []
    ask = compare.Side.ask

    def watched(side: Any, verb: str, **request: Any) -> Any:
        asked.append((id(side), verb))
        return ask(side, verb, **request)

    monkeypatch.setattr(compare.Side, "ask", watched)
    common = ["--hidden", "8", "8", "--batch", "16", "--algo", "awac"]
    fast = ["speed", *common, "--threads", "1", "--updates", "5", "--repeats", "3"]
    assert compare.main(["--d3rlpy-python", sys.executable, *fast]) == 0
    turns = [side for side, verb in asked if verb == "learn"]
    assert turns == turns[:2] * 4
    assert capsys.readouterr().out.count("| awac | 1 |") == 2

    good = ["offline", *common, "--task", "InvertedPendulum-v5", "--data", "bundled:quickstart", "--updates", "20",
            "--evaluations", "2", "--episodes", "2", "--seeds", "0"]  # fmt: skip
    compare.main(["--d3rlpy-python", sys.executable, *good])
    mine, again = (line.split("|")[2:5] for line in capsys.readouterr().out.splitlines() if line.startswith("| awac, "))
    assert mine == again, "the same side, rows and seed give the same returns"
    assert float(mine[2]) >= 1.0
