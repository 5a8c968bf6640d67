"""A collection as a run: interrupted at any instant it ends with the same file, and it listens like any other run."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from moore_engine import checkpoint, config, control, events
from moore_engine.collect import start
from moore_engine.collect import trail as trails
from moore_engine.collect.collection import Collection
from moore_engine.rundir import EXIT_DONE, EXIT_STOPPED, RunDir, read_json
from moore_engine.session import Session
from moore_engine.start import StartError
from tests.engine import trainer_runs as runs
from tests.engine.collecting import SMALL, Desk, begin, finish, make

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


def to_its_end(run: RunDir) -> None:
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


# A state of every kind, saved at any tick


class Interrupted(Exception):
    """The desk's way to end a collection in the midst of its loop."""


def interrupt(run: Collection, desk: Desk, tick: int) -> bool:
    """Run up to that tick; False if the collection ended before."""
    left = tick

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Interrupted

    desk.on_tick = count
    try:
        finish(run, desk)
    except Interrupted:
        return True
    return False


@pytest.mark.parametrize("kind", ["random", "medium", "medium-replay", "expert", "medium-expert"])
def test_a_state_saved_at_any_tick_goes_on_to_the_same_end(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "BLOCK", 64)
    sets = ["data.task=Hopper-v5", "online.updates_per_step=2", "collect.train_steps=120", "collect.target_return=15"]
    calm, draws = make(kind, *sets), random.Random(kind)
    run, desk = begin(kind, *sets)
    folder, saved, times = RunDir(tmp_path / "run"), None, 0
    folder.make()
    while interrupt(run, desk, draws.randrange(1, 90)):
        saved = checkpoint.save(folder, run.state_dict(), step=run.step(), like=saved)
        said = desk.said
        run, desk = begin(kind, *sets)
        desk.said = said
        run.load_state_dict(checkpoint.load(saved))
        times += 1
    assert times >= 1
    assert desk.said == calm.desk.said
    mine, theirs = run.state_dict(), calm.run.state_dict()
    assert str(mine["counters"]) == str(theirs["counters"])
    assert all(torch.equal(mine["sac"][name], theirs["sac"][name]) for name in theirs["sac"])
    rows = run.recorded.arrays(run.roll_env.table_to_task_units)
    assert [name for name in rows if not np.array_equal(rows[name], calm.arrays[name])] == []


def test_a_live_target_holds_from_the_phase_it_was_granted_in_also_after_an_interruption() -> None:
    class Setting(Desk):
        """Grants a target that is reached at once, in phase 120."""

        def settle(self, phase: int) -> list[str]:
            if phase < 120 or self.config.collect.target_return == 0:
                return []
            self.config = config.set_value(self.config, "collect.target_return", "0", live=True)
            return ["collect.target_return"]

    run, _ = begin("medium")
    calm = finish(run, Setting(run.config))
    run, _ = begin("medium")
    desk = Setting(run.config)
    assert interrupt(run, desk, 90) and run.counters.phase < 120
    again, _ = begin("medium")
    again.load_state_dict(run.state_dict() | opened(run))
    killed = finish(again, Setting(again.config))
    assert calm.run.counters == killed.run.counters
    assert calm.run.counters.learned == 100
    assert all(np.array_equal(calm.arrays[name], killed.arrays[name]) for name in calm.arrays)


def opened(run: Collection) -> dict[str, Any]:
    """The parts of its rows as a checkpoint gives them back."""
    parts = {**run.replay.state_dict(), **run.recorded.state_dict()}
    return {name: part.value if isinstance(part, checkpoint.Sealed) else part for name, part in parts.items()}


# The trainer as a process


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The medium-expert run that nobody stops: it learns, records, learns on and records."""
    run = make_run(tmp_path_factory.mktemp("runs") / "whole", "medium-expert")
    for key in ("online.alpha", "eval.episodes"):
        control.post(run, "set", key=key, value="2")
    to_its_end(run)
    return run


def test_a_collection_stopped_and_killed_while_it_saves_and_records_ends_with_the_same_file(
    tmp_path: Path, whole: RunDir
) -> None:
    run = make_run(tmp_path / "interrupted", "medium-expert")
    pause = control.post(run, "pause")
    trainer = runs.start(run, SMALL_BLOCKS)
    runs.until(lambda: control.acknowledgement(run, pause.id), "the pause")
    save, go_on = control.post(run, "checkpoint"), control.post(run, "resume")
    runs.until(lambda: control.acknowledgement(run, go_on.id), "the resume")
    assert (control.acknowledgement(run, save.id) or {})["ok"]
    runs.until(lambda: at(run, 100), "the second epoch", every=0.001)
    trainer.send_signal(signal.SIGTERM)
    assert trainer.wait(60) == EXIT_STOPPED, runs.log(run)
    for when, what in (
        (lambda: any(run.checkpoints.glob("tmp-*")), "a checkpoint being written"),
        (lambda: at(run, 600), "rows of the medium policy"),
    ):
        for left in run.checkpoints.glob("tmp-*"):
            shutil.rmtree(left)
        trainer = runs.start(run, SMALL_BLOCKS)
        runs.until(when, what, every=0.001)
        trainer.kill()
        trainer.wait()
    kept = checkpoint.load(checkpoint.find(run))
    assert {"replay-0", "replay-open", "recorded-open"} <= kept.keys()
    assert len({(each.path / "replay-0.safetensors").stat().st_ino for each in checkpoint.listing(run)}) == 1
    assert len(checkpoint.listing(run)) == 2
    to_its_end(run)
    assert read_json(run.state)["attempt"] == 4  # type: ignore[index]
    assert_same(run, whole)


def test_keys_that_mean_nothing_to_a_collection_are_refused_also_when_it_is_done(tmp_path: Path, whole: RunDir) -> None:
    run = RunDir(tmp_path / "done")
    shutil.copytree(whole.path, run.path)
    before = contents(run)
    control.post(run, "set", key="online.epochs", value="50")
    to_its_end(run)
    answers = {ack["args"]["key"]: ack for ack in (read_json(path) or {} for path in run.control.glob("ack-*.json"))}
    told = {key: answer["ok"] for key, answer in answers.items()}
    assert told == {"online.alpha": False, "eval.episodes": True, "online.epochs": False}
    assert "collect.target_return" in answers["online.alpha"]["why"]
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
