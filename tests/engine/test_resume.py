"""Exact resume: a run killed at any instant and started again ends bit for bit as the uninterrupted one."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moore_engine import checkpoint, control
from moore_engine.rundir import EXIT_DONE, EXIT_STOPPED, RunDir, read_json
from tests.engine import trainer_runs as runs

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, data: Path) -> RunDir:
    """The uninterrupted run."""
    run = runs.make_run(tmp_path_factory.mktemp("runs") / "whole", data)
    assert runs.finish(run) == EXIT_DONE, runs.log(run)
    return run


def kill(run: RunDir, when: Callable[[], object], what: str, every: float = 0.03) -> None:
    """Start the trainer and SIGKILL it at the first moment that `when` holds."""
    for left in run.checkpoints.glob("tmp-*"):  # by an earlier kill; it would be taken for a new one
        shutil.rmtree(left)
    trainer = runs.start(run)
    runs.until(when, what, every=every)
    trainer.kill()
    trainer.wait()


def assert_same(run: RunDir, whole: RunDir) -> None:
    assert runs.finish(run) == EXIT_DONE, runs.log(run)
    assert runs.hashes(run) == runs.hashes(whole)
    assert runs.facts(run) == runs.facts(whole)


def test_a_run_killed_offline_online_and_while_saving_ends_as_the_uninterrupted_one(
    tmp_path: Path, data: Path, whole: RunDir
) -> None:
    run = runs.make_run(tmp_path / "killed", data)
    kill(run, lambda: runs.count(run, "eval") >= 2, "the second offline evaluation")
    kill(run, lambda: any(run.checkpoints.glob("tmp-*")), "a checkpoint being written", 0.001)
    kill(run, lambda: runs.count(run, "rue") >= 1, "the second online epoch")
    assert_same(run, whole)
    assert read_json(run.state)["attempt"] == 4  # type: ignore[index]


def test_a_run_checkpointed_in_mid_fit_then_killed_goes_on_inside_that_fit(
    tmp_path: Path, data: Path, whole: RunDir
) -> None:
    run = runs.make_run(tmp_path / "fit", data)
    request = control.post(run, "checkpoint")  # seen at the first tick, which is the fit's
    trainer = runs.start(run)
    runs.until(lambda: control.acknowledgement(run, request.id), "the acknowledgement")
    trainer.kill()
    trainer.wait()
    saved = checkpoint.load(checkpoint.find(run))
    assert saved["counters"]["open"] == "fit"
    assert saved["dynamics"]["fit"]["updates"] > 0
    assert_same(run, whole)


def test_a_stopped_run_exits_75_and_goes_on_to_the_same_end(tmp_path: Path, data: Path, whole: RunDir) -> None:
    run = runs.make_run(tmp_path / "stopped", data)
    for number, evaluations in ((signal.SIGTERM, 1), (signal.SIGINT, 7), (signal.SIGUSR2, 8)):
        trainer = runs.start(run)
        runs.until(lambda n=evaluations: runs.count(run, "eval") >= n, f"evaluation {evaluations}")  # type: ignore[misc]
        trainer.send_signal(number)
        assert trainer.wait(60) == EXIT_STOPPED, runs.log(run)
    assert_same(run, whole)


def test_a_live_setting_is_replayed_where_it_took_hold(tmp_path: Path, data: Path) -> None:
    """The run that was never killed and the one killed after the setting, before any later checkpoint, agree."""
    ends = []
    for name in ("calm", "killed"):
        run = runs.make_run(tmp_path / name, data, "checkpoint.every_epochs=100")
        trainer = runs.start(run)
        if name == "calm":
            runs.until(lambda r=run: runs.count(r, "eval") >= 2, "the second evaluation")  # type: ignore[misc]
            request = control.post(run, "set", key="offline.penalty_coef", value="0.125")
            runs.until(lambda r=run, i=request.id: control.acknowledgement(r, i), "the acknowledgement")  # type: ignore[misc]
            granted = control.acknowledgement(run, request.id)
        else:
            assert granted is not None
            control.acknowledge(run, control.Request("01", "set", granted["args"]), True, phase=granted["phase"])
            trainer.kill()
            trainer.wait()
            trainer = runs.start(run)
        assert trainer.wait(120) == EXIT_DONE, runs.log(run)
        ends.append((runs.hashes(run), runs.facts(run)))
    assert ends[0] == ends[1]
    assert any(f["k"] == "unc" and f["reward_raw"] != f["reward_penalised"] for f in ends[0][1])


def test_a_damaged_newest_checkpoint_is_passed_over_and_the_end_is_the_same(
    tmp_path: Path, data: Path, whole: RunDir
) -> None:
    run = runs.make_run(tmp_path / "damaged", data)
    kill(run, lambda: len(checkpoint.listing(run)) >= 2, "two checkpoints")
    newest = checkpoint.listing(run)[-1].path / "sac.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    assert_same(run, whole)
    assert any("damaged" in event["what"] for event in _all(run, "warn"))


LONGER = ["offline.epochs=8", "online.epochs=50"]
"""Long enough that twenty attempts of at most 0.8 s leave something to do."""
REAL_WIDTHS = [
    "model.networks=7", "model.elites=5", "model.hidden=[200,200,200,200]",
    "model.weight_decay=[2.5e-5,5e-5,7.5e-5,7.5e-5,1e-4]", "sac.hidden=[256,256]", "sac.batch=256",
    "offline.epochs=6", "offline.retain_epochs=1", "online.epochs=2",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_kills_at_random_instants_end_as_the_uninterrupted_run(tmp_path: Path, data: Path) -> None:
    calm, killed = (runs.make_run(tmp_path / name, data, *LONGER) for name in ("calm", "killed"))
    assert runs.finish(calm) == EXIT_DONE, runs.log(calm)
    assert kill_at_random(killed, 20, 0.8) == 20
    assert_same(killed, calm)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kills_at_real_widths_with_the_model_buffer_wrapped_round_change_nothing(tmp_path: Path, data: Path) -> None:
    calm, killed = (runs.make_run(tmp_path / name, data, *REAL_WIDTHS) for name in ("calm", "killed"))
    assert runs.finish(calm) == EXIT_DONE, runs.log(calm)
    kill(killed, lambda: runs.count(killed, "unc") >= 10, "the tenth rollout")
    rows = checkpoint.load(checkpoint.find(killed))["model_rows"]
    assert rows["rows"].shape[0] == rows["capacity"]
    assert rows["next"] != 0
    assert kill_at_random(killed, 5, 3.0) > 0
    assert_same(killed, calm)


def kill_at_random(run: RunDir, times: int, most_s: float) -> int:
    """SIGKILL up to `times` attempts, each within `most_s` of training; how many before the run was done."""
    rng = random.Random(0)
    for killed in range(times):
        before = attempt(run)
        trainer = runs.start(run)
        runs.until(lambda n=before: attempt(run) > n, "an attempt")  # type: ignore[misc]
        runs.until(lambda: (read_json(run.state) or {}).get("status") != "starting", "training")
        try:
            trainer.wait(rng.uniform(0.0, most_s))
            return killed
        except subprocess.TimeoutExpired:
            trainer.kill()
            trainer.wait()
    return times


def attempt(run: RunDir) -> int:
    return int((read_json(run.state) or {}).get("attempt", 0))


def _all(run: RunDir, kind: str) -> list[dict]:  # type: ignore[type-arg]
    from moore_engine import events

    return [event for event in events.read(run.events) if event["k"] == kind]
