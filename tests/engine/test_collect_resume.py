"""A collection as a run: killed at any instant it ends with the same file, and it listens like any other run."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from moore_engine import checkpoint, config, control, events
from moore_engine.collect import start
from moore_engine.rundir import EXIT_DONE, EXIT_STOPPED, RunDir, read_json
from moore_engine.session import Session
from moore_engine.start import StartError
from tests.engine import trainer_runs as runs
from tests.engine.collecting import SMALL, make

pytestmark = pytest.mark.timeout(240)

SMALL_BLOCKS = (
    "-c",
    "import runpy, moore_engine.collect.trail as t; t.BLOCK = 64; runpy.run_module('moore_engine', None, '__main__')",
)
"""The trainer with blocks of 64 rows, so that a small run seals some."""

LONGER = [
    "collect.train_steps=500", "collect.steps=300", "checkpoint.every_epochs=2", "collect.target_return=1e6",
    "sac.hidden=[32,32]",
]  # fmt: skip


def make_run(folder: Path, kind: str, *sets: str) -> RunDir:
    """A run directory as `data collect` leaves it."""
    asked = [*SMALL, *LONGER, f"collect.kind={kind}", f"run.name={folder.name}", *sets]
    run = RunDir(folder)
    run.make()
    run.config.write_text(config.dumps(config.resolve("collect", sets=asked).config))
    return run


def finish(run: RunDir) -> None:
    assert runs.start(run, SMALL_BLOCKS).wait(120) == EXIT_DONE, runs.log(run)


def contents(run: RunDir) -> dict[str, Any]:
    """Every array of the set and its attributes."""
    found: dict[str, Any] = {}
    with h5py.File(run.path / "dataset.hdf5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found | {f"@{key}": value for key, value in file.attrs.items()}


def facts(run: RunDir) -> list[dict[str, Any]]:
    """What was told, but for where the set lies."""
    return [{key: value for key, value in fact.items() if key != "path"} for fact in runs.facts(run)]


def assert_same(run: RunDir, whole: RunDir) -> None:
    mine, theirs = contents(run), contents(whole)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not np.array_equal(mine[name], theirs[name])] == []
    assert (run.path / "dataset.hdf5").read_bytes() == (whole.path / "dataset.hdf5").read_bytes()
    assert runs.hashes(run) == runs.hashes(whole)
    assert facts(run) == facts(whole)


def at(run: RunDir, env_step: int) -> bool:
    """Whether an event of that environment step, or a later one, has been written."""
    return run.events.exists() and any(each["env_step"] >= env_step for each in events.read(run.events))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The uninterrupted medium-expert run: it learns, records, learns on and records."""
    run = make_run(tmp_path_factory.mktemp("runs") / "whole", "medium-expert")
    finish(run)
    return run


def test_a_collection_killed_while_it_saves_and_records_ends_with_the_same_file(tmp_path: Path, whole: RunDir) -> None:
    run = make_run(tmp_path / "killed", "medium-expert")
    for when, what in (
        (lambda: any(run.checkpoints.glob("tmp-*")), "a checkpoint being written"),
        (lambda: at(run, 600), "rows of the medium policy"),
    ):
        trainer = runs.start(run, SMALL_BLOCKS)
        runs.until(when, what, every=0.001)
        trainer.kill()
        trainer.wait()
    kept = checkpoint.load(checkpoint.find(run))
    assert {"replay-0", "replay-open", "recorded-open"} <= kept.keys()
    finish(run)
    assert read_json(run.state)["attempt"] == 3  # type: ignore[index]
    assert_same(run, whole)


def test_a_replay_set_with_the_simulators_states_survives_a_kill(tmp_path: Path) -> None:
    sets = ["data.task=Hopper-v5"]
    run, calm = make_run(tmp_path / "killed", "medium-replay", *sets), make("medium-replay", *LONGER, *sets).arrays
    trainer = runs.start(run, SMALL_BLOCKS)
    runs.until(lambda: at(run, 150), "the third epoch", every=0.001)
    trainer.kill()
    trainer.wait()
    finish(run)
    assert read_json(run.state)["attempt"] == 2  # type: ignore[index]
    found = contents(run)
    for name, values in calm.items():
        assert np.array_equal(found[f"infos/{name}" if name in ("qpos", "qvel") else name], values), name
    assert {"qpos", "qvel"} < calm.keys()


def test_a_collection_pauses_saves_goes_on_and_stops_as_asked_and_ends_the_same(tmp_path: Path, whole: RunDir) -> None:
    run = make_run(tmp_path / "asked", "medium-expert")
    pause = control.post(run, "pause")
    trainer = runs.start(run, SMALL_BLOCKS)
    runs.until(lambda: control.acknowledgement(run, pause.id), "the pause")
    save, go_on = control.post(run, "checkpoint"), control.post(run, "resume")
    runs.until(lambda: control.acknowledgement(run, go_on.id), "the resume")
    assert (control.acknowledgement(run, save.id) or {})["ok"]
    runs.until(lambda: at(run, 100), "the second epoch", every=0.001)
    trainer.send_signal(signal.SIGTERM)
    assert trainer.wait(60) == EXIT_STOPPED, runs.log(run)
    finish(run)
    assert_same(run, whole)


def test_a_live_target_ends_training_and_is_replayed_after_a_kill(tmp_path: Path) -> None:
    ends = []
    for name in ("calm", "killed"):
        run = make_run(tmp_path / name, "medium", "checkpoint.every_epochs=100")
        if name == "calm":
            trainer = runs.start(run, SMALL_BLOCKS)
            runs.until(lambda r=run: at(r, 100), "the second epoch", every=0.001)  # type: ignore[misc]
            request = control.post(run, "set", key="collect.target_return", value="0")
            runs.until(lambda r=run, i=request.id: control.acknowledgement(r, i), "the acknowledgement")  # type: ignore[misc]
            granted = control.acknowledgement(run, request.id) or {}
            assert granted["ok"]
        else:
            given = control.Request("01", "set", granted["args"])
            control.acknowledge(run, given, True, phase=granted["phase"])
            trainer = runs.start(run, SMALL_BLOCKS)
        assert trainer.wait(120) == EXIT_DONE, runs.log(run)
        ends.append((contents(run), facts(run)))
    assert ends[0][1] == ends[1][1]
    assert all(np.array_equal(ends[0][0][key], ends[1][0][key]) for key in ends[0][0])
    assert ends[0][0]["@train_steps"] < 500


def test_keys_that_mean_nothing_to_a_collection_are_refused_also_when_it_is_done(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "random")
    asked = [control.post(run, "set", key=key, value="5") for key in ("online.alpha", "eval.episodes")]
    finish(run)
    before = contents(run)
    asked.append(control.post(run, "set", key="online.epochs", value="50"))
    finish(run)
    answers = [control.acknowledgement(run, each.id) or {} for each in asked]
    assert [answer["ok"] for answer in answers] == [False, True, False]
    assert "collect.target_return" in answers[0]["why"]
    assert all(np.array_equal(before[key], value) for key, value in contents(run).items())


def test_a_collection_is_online_throughout_and_tells_no_shares(whole: RunDir) -> None:
    told = list(events.read(whole.events))
    assert {each["stage"] for each in told} == {"online"}
    assert {each["k"] for each in told} <= {"run", "eval", "loss", "data", "perf", "ckpt", "ack", "warn", "end"}
    steps = [each["env_step"] for each in told]
    assert steps == sorted(steps)


def test_a_task_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="did you mean 'Hopper-v5'"):
        start.run(Session(make_run(tmp_path / "run", "random", "data.task=Hoper-v5")))
