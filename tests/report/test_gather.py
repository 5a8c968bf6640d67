"""What is read of runs: attempts, branches, groups, and what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moore_engine import rundir
from moore_engine.rundir import RunDir, read_json, write_json
from moore_tui.report.gather import UnreadableRun, gather, read
from tests.report.figure_runs import SHA, VERSIONS, figure_run
from tests.tui.made_runs import line, make_run


def events_of(run: RunDir) -> list[dict[str, Any]]:
    return [json.loads(each) for each in run.events.read_text().splitlines()]


def test_a_runs_evaluations_are_told_apart_by_stage(tmp_path: Path) -> None:
    run = figure_run(tmp_path, "a-s3", before=(10, 20), frozen=(22, 24), after=(25, 40, 60), rue=(0.1, 0.2),
                     unc=[(250, 1.0, 0.5, 2.0)])  # fmt: skip
    found = read(run.path)
    assert (found.id, found.algo, found.task, found.seed, found.data_sha256) == ("a-s3", "moore", "Hopper-v4", 3, SHA)
    assert found.versions == VERSIONS and found.finished and found.state == "done" and found.warnings == ()
    assert found.offline_evals["score"].tolist() == [10, 20] and found.offline_evals["update"].tolist() == [1000, 2000]
    assert found.online_evals["score"].tolist() == [25, 40, 60]
    assert found.online_evals["env_step"].tolist() == [1000, 2000, 3000] and found.last_step == 3000
    assert set(found.online_evals["stage"]) == {"online"} and set(found.offline_evals["stage"]) == {"offline"}
    assert found.baseline["return_mean"].tolist() == [220, 240]
    assert found.unc["p80"].tolist() == [2.0] and found.rue["value"].tolist() == [0.1, 0.2]
    assert (found.offline_score, found.final, found.unit, found.column) == (23.0, 60.0, "score", "score")
    assert found.net_dip is not None and found.dip is not None


def test_what_a_dead_attempt_did_is_not_seen(tmp_path: Path) -> None:
    run = figure_run(tmp_path, "a-s0", after=(25, 40))
    before = events_of(run)
    last = before.pop()["seq"] - 1
    dead = [{**before[-1], "seq": last + 1 + n, "epoch": 3 + n, "env_step": 3000, "score": 99.0} for n in range(3)]
    again = {**before[0], "seq": last + 9, "att": 2, "stage": "online", "resumed_seq": last}
    after = {**before[-1], "seq": last + 10, "att": 2, "epoch": 3, "env_step": 3000, "score": 50.0}
    run.events.write_bytes(b"".join(map(line, [*before, *dead, again, after])))
    found = read(run.path)
    assert found.online_evals["score"].tolist() == [25, 40, 50]
    assert found.remarks == ()
    again["versions"] = {**VERSIONS, "torch": "3.0"}
    run.events.write_bytes(b"".join(map(line, [*before, *dead, again, after])))
    assert read(run.path).versions["torch"] == "3.0" and "other package versions" in read(run.path).remarks[0]


def branch(folder: Path, trunk: RunDir, name: str) -> RunDir:
    """A branch of the trunk's state after its fourth event; it has an online stage of its own."""
    (trunk.checkpoints / "switch").mkdir(exist_ok=True)
    write_json(trunk.checkpoints / "switch" / "manifest.json", {"seq": 4})
    return figure_run(folder, name, before=(), after=(33, 44), run={"from_": f"{trunk.path}@switch#{SHA}"})


def test_a_branch_has_its_trunks_offline_stage_and_no_more(tmp_path: Path) -> None:
    trunk = figure_run(tmp_path, "trunk-s0", before=(10, 20, 30), after=(1, 2))
    made = branch(tmp_path, trunk, "branch-s0")
    found = read(made.path)
    assert found.trunk == "trunk-s0" and found.remarks == ()
    assert found.offline_evals["score"].tolist() == [10, 20, 30]
    assert found.online_evals["score"].tolist() == [33, 44]
    assert found.offline_score == 30.0
    trunk.config.rename(trunk.config.with_name("gone"))
    trunk.events.unlink()
    lost = read(made.path)
    assert len(lost.offline_evals["score"]) == 0 and lost.offline_score is None
    assert "trunk-s0, which is gone" in lost.remarks[0]


def test_groups_are_named_by_what_tells_them_apart_within_task_and_data(tmp_path: Path) -> None:
    for seed in (0, 1):
        figure_run(tmp_path, f"a-s{seed}", online={"epochs": 4 + seed})
        figure_run(tmp_path, f"b-s{seed}", online={"sampler": "uniform", "alpha": 7.0}, checkpoint={"keep": 9})
        figure_run(tmp_path, f"c-s{seed}", run={"algo": "mopo"}, sac={"tau": 0.5})
        figure_run(tmp_path, f"d-s{seed}", sha256="cd" * 32, online={"sampler": "uniform"})
        figure_run(tmp_path, f"e-s{seed}", online={"alpha": 2.0}, eval={"episodes": 3})
    found = gather(sorted(tmp_path.iterdir()))
    assert [run.group for run in found[::2]] == [
        "moore sampler=priority alpha=1", "moore sampler=uniform", "mopo", "moore", "moore sampler=priority alpha=2",
    ]  # fmt: skip
    assert [run.group for run in found[1::2]] == [run.group for run in found[::2]]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    runs = [figure_run(tmp_path / each, name) for each, name in (("x", "a-s0"), ("y", "a-s0"), ("y", "b-s0"))]
    assert [run.id for run in gather([run.path for run in runs])] == ["x/a-s0", "y/a-s0", "b-s0"]


def test_an_unfinished_run_says_so_and_shows_what_it_has(tmp_path: Path) -> None:
    run = figure_run(tmp_path, "a-s0", after=(25, 40))
    state = read_json(run.state) or {}
    write_json(run.state, {**state, "status": "stopped", "exit": rundir.EXIT_STOPPED})
    run.events.write_bytes(b"".join(map(line, events_of(run)[:-1])) + b'{"v":1,"seq":99,"k":"ev')
    found = read(run.path)
    assert not found.finished and found.state == "interrupted" and found.final == 40
    assert found.warnings == ("a-s0 is interrupted: its figures are those of the evaluations so far.",)


def test_a_run_without_events_has_empty_columns(tmp_path: Path) -> None:
    found = read(make_run(tmp_path, "new").path)
    assert found.offline_score is None and found.final is None and found.net_dip is None and found.last_step == 0
    assert found.online_evals["score"].dtype == np.float64 and len(found.share["p_off"]) == 0


@pytest.mark.parametrize(
    "odd",
    [
        {"stage": 3},
        {"t": "late"},
        {"epoch": None},
        {"env_step": [1]},
        {"return_mean": "much", "score": {}},
        {"return_mean": None},
        {"update": True},
    ],
)
def test_a_strangers_evaluation_is_left_out_and_breaks_nothing(tmp_path: Path, odd: dict[str, Any]) -> None:
    run = figure_run(tmp_path, "a-s0", after=(25, 40))
    events = events_of(run)
    bad = {**events[-2], "seq": 90, "epoch": 9, "env_step": 9000, "score": 7.0, "return_mean": 70.0, **odd}
    run.events.write_bytes(b"".join(map(line, [*events[:-1], bad])))
    found = read(run.path)
    assert found.final == 40.0 and found.last_step == 2000 and np.isfinite(found.online_evals["return_mean"]).all()


def test_what_is_no_run_to_report_on_is_one_sentence(tmp_path: Path) -> None:
    make_run(tmp_path, "gather", run={"algo": "collect"})
    (make_run(tmp_path, "broken").config).write_text("[run]\nalgo = 3\n")
    (make_run(tmp_path, "torn").config).write_bytes(b"\xff[")
    good = figure_run(tmp_path, "z-s0")
    names = ("absent", "broken", "gather", "torn")
    for name in names:
        with pytest.raises(UnreadableRun) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value) and caught.value.exit_code == 2
    left_out: list[str] = []
    found = gather([*(tmp_path / name for name in names), good.path], left_out)
    assert [run.id for run in found] == ["z-s0"] and len(left_out) == 4
