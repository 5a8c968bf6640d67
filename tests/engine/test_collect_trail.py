"""The rows of a collection: what is kept, where episodes end, and blocks that are written once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moore_engine import checkpoint
from moore_engine.buffers import Layout
from moore_engine.checkpoint import Sealed
from moore_engine.collect import trail as module
from moore_engine.collect.trail import Trail
from moore_engine.rundir import RunDir

LAYOUT = Layout(3, 2)


def state(value: float) -> tuple[Any, Any]:
    return np.full(2, value), np.full(4, -value)


def filled(rows: int, ends: dict[int, str] | None = None, physics: bool = True) -> Trail:
    """Row n holds n everywhere, with reward n; `ends` says which rows fall ("terminal"), time out or both."""
    trail = Trail("rows", LAYOUT, rows + 5, state(0.0) if physics else None)
    add(trail, rows, ends or {}, physics)
    return trail


def add(trail: Trail, rows: int, ends: dict[int, str], physics: bool = True) -> None:
    for n in range(trail.size, trail.size + rows):
        value, end = np.float32(n), ends.get(n, "")
        obs, action = np.full(3, value), np.full(2, value / 100, np.float32)
        falls, times_out = end in ("terminal", "both"), end in ("timeout", "both")
        trail.add(obs, action, obs + 1, float(n), falls, times_out, state(float(n)) if physics else None)


def same(one: Trail, other: Trail) -> bool:
    mine, theirs = (each.arrays(lambda actions: actions) for each in (one, other))
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[key], theirs[key]) for key in mine)


def test_rows_come_out_under_d4rls_names_in_the_tasks_units() -> None:
    arrays = filled(4).arrays(lambda actions: 3 * actions)
    assert arrays["observations"].tolist() == [[n] * 3 for n in range(4)]
    assert arrays["next_observations"].tolist() == [[n + 1] * 3 for n in range(4)]
    np.testing.assert_allclose(arrays["actions"][:, 0], [0, 0.03, 0.06, 0.09], rtol=1e-6)
    assert arrays["rewards"].tolist() == [0, 1, 2, 3]
    assert arrays["qpos"].tolist() == [[n] * 2 for n in range(4)]
    assert arrays["qvel"].tolist() == [[-n] * 4 for n in range(4)]


def test_without_physics_there_is_none() -> None:
    assert not {"qpos", "qvel"} & filled(2, physics=False).arrays(lambda actions: actions).keys()


def test_a_fall_on_the_time_limit_is_a_fall() -> None:
    arrays = filled(4, {1: "both", 2: "timeout", 3: "terminal"}).arrays(lambda actions: actions)
    assert arrays["terminals"].tolist() == [False, True, False, True]
    assert arrays["timeouts"].tolist() == [False, False, True, False]


def test_an_episodes_return_is_the_sum_of_its_rewards_and_an_open_one_has_none_yet() -> None:
    assert filled(7, {2: "terminal", 4: "timeout"}).episodes().tolist() == [3.0, 7.0]
    assert filled(3).episodes().tolist() == []


def test_cutting_ends_an_open_episode_and_leaves_an_ended_one() -> None:
    open_, ended, empty = filled(3), filled(3, {2: "terminal"}), filled(0)
    assert (open_.cut(), ended.cut(), empty.cut()) == (True, False, False)
    assert open_.arrays(lambda a: a)["timeouts"].tolist() == [False, False, True]
    assert ended.arrays(lambda a: a)["timeouts"].tolist() == [False, False, False]
    assert open_.cut() is False


@pytest.mark.parametrize("rows", [0, 7, 8, 9, 16, 21])
def test_a_saved_trail_comes_back_whatever_its_number_of_rows(
    rows: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "BLOCK", 8)
    trail, again = filled(rows, {3: "terminal", 6: "timeout"}), Trail("rows", LAYOUT, 30, state(0.0))
    saved = checkpoint.save(run_dir(tmp_path), trail.state_dict(), step=0)
    again.load_state_dict(checkpoint.load(saved))
    assert same(trail, again)
    assert torch.equal(trail.table[:rows], again.table[:rows])


def test_full_blocks_are_sealed_and_only_those(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 8)
    trail = filled(19)
    kinds = {name: isinstance(part, Sealed) for name, part in trail.state_dict().items()}
    assert kinds == {"rows-0": True, "rows-1": True, "rows-open": False}
    assert tuple(kinds) == trail.parts()


def test_checkpoints_of_a_growing_trail_share_its_full_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "BLOCK", 8)
    run, trail, saved, written = run_dir(tmp_path), filled(0), None, 0
    trail = Trail("rows", LAYOUT, 400, state(0.0))
    for _ in range(50):
        add(trail, 8, {})
        saved = checkpoint.save(run, trail.state_dict(), step=trail.size, like=saved)
        written += sum(path.stat().st_size for path in saved.path.glob("*.safetensors") if path.stat().st_nlink == 1)
        checkpoint.prune(run, 2)
    whole = saved.bytes if saved else 0
    assert written < 3 * whole
    again = Trail("rows", LAYOUT, 400, state(0.0))
    assert saved is not None
    again.load_state_dict(checkpoint.load(saved))
    assert same(trail, again)


def test_where_there_are_no_links_blocks_are_written_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*paths: Path) -> None:
        raise OSError("links are not supported here")

    monkeypatch.setattr(module, "BLOCK", 8)
    monkeypatch.setattr("os.link", refuse)
    run, trail = run_dir(tmp_path), filled(9)
    first = checkpoint.save(run, trail.state_dict(), step=1)
    second = checkpoint.save(run, trail.state_dict(), step=2, like=first)
    again = Trail("rows", LAYOUT, 30, state(0.0))
    again.load_state_dict(checkpoint.load(second))
    assert same(trail, again)


def test_a_block_is_not_taken_from_a_checkpoint_that_this_state_did_not_go_on_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "BLOCK", 8)
    run, other, mine = run_dir(tmp_path), filled(9, {0: "terminal"}), filled(9)
    checkpoint.save(run, other.state_dict(), step=9)
    again = Trail("rows", LAYOUT, 30, state(0.0))
    again.load_state_dict(checkpoint.load(checkpoint.save(run, mine.state_dict(), step=9)))
    assert same(mine, again)


def test_a_state_with_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="columns"):
        Trail("rows", LAYOUT, 30, state(0.0)).load_state_dict(filled(3, physics=False).state_dict())


def run_dir(folder: Path) -> RunDir:
    run = RunDir(folder / "run")
    run.make()
    return run
