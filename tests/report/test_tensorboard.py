"""`export --tensorboard`, read back by TensorBoard's own reader: points, steps, wall times, dead attempts, branches."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from moore_engine.rundir import RunDir, write_json
from moore_tui.cli import call
from moore_tui.report import tensorboard
from tests.tui.made_runs import make_run, write_events


def event(
    seq: int, kind: str, /, stage: str = "offline", update: int = 0, step: int = 0, **fields: Any
) -> dict[str, Any]:
    place = {"stage": stage, "epoch": 1, "update": update, "env_step": step}
    return {"v": 1, "seq": seq, "att": 1, "t": 1000.0 + seq, **place, "k": kind, **fields}


EVENTS = [
    event(1, "run", task="Hopper-v5", seed=3, sha256="ab" * 32, resumed_seq=0, versions={"torch": "2"}, cpu="made"),
    event(2, "loss", update=10, q=0.5, actor=-1.5, temperature="nan", entropy="nan", q_mean="inf"),
    event(3, "model", update=10, holdout=[1.0, 2.0, 6.0], elites=[0, 1], epochs=4, updates=9, capped=True, ess=7.5),
    event(4, "eval", update=20, score=None, return_mean=40.0, returns=[30.0, 50.0]),
    event(5, "eval", "online", 20, 0, score=None, return_mean=41.0, baseline=1),
    event(6, "warn", "online", 25, 3, what="the disk is nearly full"),
    event(7, "perf", "online", 30, 5, phases={"fit": 0.25, "act": 0.75}, eta_s=None, doing="act"),
    event(8, "loss", "online", 40, 6, q=0.25, actor=-2.5, temperature="nan", entropy=1.0, q_mean=3.0),
]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    made = make_run(tmp_path / "runs", "hand", run={"seed": 3}, sac={"hidden": (8, 4)})
    write_events(made, *EVENTS)
    return made


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    return found


def points(folder: Path, tag: str) -> list[tuple[float, int, float]]:
    return [(each.wall_time, each.step, each.value) for each in read(folder).Scalars(tag)]


def test_every_number_of_an_event_is_a_point_at_its_update_and_time(run: RunDir, tmp_path: Path) -> None:
    written = tensorboard.write(run, tmp_path / "board")
    folder = tmp_path / "board" / "updates"
    assert points(folder, "loss/q") == [(1002.0, 10, 0.5), (1008.0, 40, 0.25)]
    assert points(folder, "eval/return_mean") == [(1004.0, 20, 40.0)]
    assert points(folder, "frozen/return_mean") == [(1005.0, 20, 41.0)]
    assert [points(folder, f"model/holdout_{name}")[0][2] for name in ("mean", "min", "max")] == [3.0, 1.0, 6.0]
    assert points(folder, "model/capped") == [(1003.0, 10, 1.0)]
    assert points(folder, "perf/phase_act") == [(1007.0, 30, 0.75)]
    tags = set(read(folder).Tags()["scalars"])
    assert tags == set(written.tags)
    assert written.points == sum(len(read(path.parent).Scalars(tag)) for path in written.files
                                 for tag in read(path.parent).Tags()["scalars"])  # fmt: skip


def test_what_no_event_knows_has_no_curve_and_what_some_do_has_gaps(run: RunDir, tmp_path: Path) -> None:
    written = tensorboard.write(run, tmp_path)
    assert not {"eval/score", "loss/temperature", "perf/eta_s", "perf/doing", "eval/returns"} & set(written.tags)
    entropy = [value for _, _, value in points(tmp_path / "updates", "loss/entropy")]
    assert math.isnan(entropy[0]) and entropy[1] == 1.0
    assert points(tmp_path / "updates", "loss/q_mean")[0][2] == math.inf


def test_environment_steps_count_from_the_switch_in_a_folder_of_their_own(run: RunDir, tmp_path: Path) -> None:
    tensorboard.write(run, tmp_path)
    folder = tmp_path / "env_steps"
    assert points(folder, "loss/q") == [(1008.0, 6, 0.25)]
    assert points(folder, "frozen/return_mean") == [(1005.0, 0, 41.0)]
    assert "eval/return_mean" not in read(folder).Tags()["scalars"]


def test_a_run_without_an_online_stage_has_one_folder(tmp_path: Path) -> None:
    run = make_run(tmp_path, "offline")
    write_events(run, *EVENTS[:4])
    written = tensorboard.write(run, tmp_path / "board")
    assert [path.parent.name for path in written.files] == ["updates"]


def test_configuration_versions_warnings_and_hyperparameters_are_told(run: RunDir, tmp_path: Path) -> None:
    tensorboard.write(run, tmp_path)
    found = read(tmp_path / "updates")
    texts = {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in ("config", "run", "warnings")}
    assert [line[4:] for line in texts["config"].splitlines()] == run.config.read_text().splitlines()
    assert "task: Hopper-v5" in texts["run"] and '{"torch": "2"}' in texts["run"]
    assert texts["warnings"] == "    update 25: the disk is nearly full"
    plugin = found.SummaryMetadata("_hparams_/session_start_info").plugin_data
    started = HParamsPluginData.FromString(plugin.content).session_start_info
    assert started.start_time_secs == 1001.0
    places = [plugin.content.index(key.encode()) for key in sorted(started.hparams)]
    assert places == sorted(places)  # a map's own order is another one in each process
    assert started.hparams["run.seed"].number_value == 3 and started.hparams["sac.hidden"].string_value == "[8, 4]"


def test_events_of_a_dead_attempt_are_hidden(run: RunDir, tmp_path: Path) -> None:
    again = event(9, "run", "online", 30, 5, resumed_seq=7, versions={})
    write_events(run, *EVENTS, again, event(10, "loss", "online", 40, 6, q=0.125))
    tensorboard.write(run, tmp_path)
    assert points(tmp_path / "updates", "loss/q") == [(1002.0, 10, 0.5), (1010.0, 40, 0.125)]


def test_a_branch_begins_with_the_curve_it_branched_off(run: RunDir, tmp_path: Path) -> None:
    (run.checkpoints / "switch").mkdir()
    write_json(run.checkpoints / "switch" / "manifest.json", {"seq": 4})
    branch = make_run(tmp_path / "runs", "branch", run={"from_": f"{run.path}@switch#00"})
    write_events(branch, event(1, "loss", "online", 60, 8, q=4.0))
    tensorboard.write(branch, tmp_path)
    assert points(tmp_path / "updates", "loss/q") == [(1002.0, 10, 0.5), (1001.0, 60, 4.0)]
    assert points(tmp_path / "env_steps", "loss/q") == [(1001.0, 8, 4.0)]


def test_writing_again_replaces_and_gives_the_same_bytes(run: RunDir, tmp_path: Path) -> None:
    files = tensorboard.write(run, tmp_path).files
    first = [path.read_bytes() for path in files]
    tensorboard.write(run, tmp_path)
    assert [path.read_bytes() for path in files] == first
    assert [each.name for each in (tmp_path / "updates").iterdir()] == ["events.out.tfevents.hand"]


def test_a_folder_with_another_runs_curves_is_refused_and_left_alone(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_run(tmp_path / "runs", "other")
    write_events(other, *EVENTS)
    tensorboard.write(other, tmp_path / "board")
    assert call(["export", str(run.path), "--tensorboard", "-o", str(tmp_path / "board")]) == 2
    assert "events.out.tfevents.other" in capsys.readouterr().err
    assert len(list((tmp_path / "board").rglob("*tfevents*"))) == 2


def test_the_command_writes_into_the_run_and_says_where(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["export", str(run.path), "--tensorboard", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(run.path / "tensorboard") and found["run"] == "hand"
    assert found["files"] == [str(run.path / "tensorboard" / name / "events.out.tfevents.hand")
                              for name in ("updates", "env_steps")]  # fmt: skip
    assert call(["export", str(run.path), "--tensorboard"]) == 0
    assert f"tensorboard --logdir {run.path / 'tensorboard'}" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--checkpoint", "final"], []], ids=["a checkpoint", "no event"])
def test_what_cannot_be_written_is_one_sentence(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path, "empty")
    assert call(["export", str(run.path), "--tensorboard", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (run.path / "tensorboard").exists()


def test_a_missing_package_is_told_with_the_remedy(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [
        each for each in sys.modules if each.startswith(("tensorboard.", "moore_tui.report.tensorboard_file"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    assert call(["export", str(run.path), "--tensorboard"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "needs the package tensorboard: pip install 'moore-console[tensorboard]'" in error
