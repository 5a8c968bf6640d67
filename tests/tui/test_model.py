"""Each state of a run from hand-made files, and what a summary says beside it."""

from __future__ import annotations

import os
import signal
import time

import pytest

from moore_engine import control, rundir
from moore_engine.rundir import Beat, Lease, write_json
from moore_tui.runs import model, plan, status
from moore_tui.runs.model import RunModel
from tests.tui.made_runs import beat_at, dead_identity, event, line, make_run, sleeper, write_events

ELSEWHERE = {**rundir.this_process(), "host": "far"}


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path, "hopper")


def put_state(run, who, word="training", **fields):
    write_json(
        run.state,
        {"v": 1, "attempt": 1, "identity": who, "paused": False, "status": word, "t": 1.0, **fields},
        durable=False,
    )


def put_keeper(run, *attempts, word="running", who=None, **fields):
    body = {"v": 1, "identity": who or dead_identity(), "status": word, "why": "", "restarts": 0, "next_start": None}
    write_json(run.keeper, {**body, "policy": {"max_restarts": 5}, "attempts": list(attempts), **fields}, durable=False)


def attempt(who, ended=None, code=None, number=None, **fields):
    return {"n": 1, "identity": who, "started": 1.0, "ended": ended, "exit": code, "signal": number, **fields}


def seen(run):
    snapshot = model.snapshot(run)
    return snapshot.state, snapshot.detail


def test_a_run_never_started_is_interrupted(run):
    assert seen(run) == ("interrupted", "not started")


def test_a_trainer_that_has_not_spoken_yet_is_starting(run):
    with sleeper() as (_, who):
        put_keeper(run, attempt(who), who=rundir.this_process())
        put_state(run, dead_identity())
        assert seen(run) == ("starting", "")


def test_a_trainer_that_imports_is_starting_though_an_older_beat_is_stale(run):
    with sleeper() as (_, who):
        put_keeper(run, attempt(who), who=rundir.this_process())
        put_state(run, dead_identity())
        beat_at(run, 1000)
        assert seen(run)[0] == "starting"


def test_a_keeper_between_taking_the_run_and_starting_a_trainer_is_starting(run):
    put_keeper(run, who=rundir.this_process())
    assert seen(run) == ("starting", "")


def test_a_trainer_that_beats_is_live(run):
    with sleeper() as (process, who):
        put_state(run, who)
        beat_at(run, 5)
        snapshot = model.snapshot(run)
        assert (snapshot.state, snapshot.detail, snapshot.pid, snapshot.kept) == ("live", "", process.pid, False)
        assert snapshot.running


def test_a_live_run_is_kept_while_its_keeper_lives(run):
    with sleeper() as (_, who):
        put_state(run, who)
        put_keeper(run, attempt(who), who=rundir.this_process())
        beat_at(run, 1)
        assert model.snapshot(run).kept
        put_keeper(run, attempt(who), who=dead_identity())
        assert not model.snapshot(run).kept


def test_a_trainer_silent_past_its_promise_is_stalled(run):
    with sleeper() as (_, who):
        put_state(run, who)
        beat_at(run, 10 + status.GRACE_S - 1)
        assert seen(run)[0] == "live"
        beat_at(run, 42.2)
        assert seen(run) == ("stalled", "silent for 42 s")


def test_a_trainer_that_a_signal_stopped_is_stalled_within_seconds_and_says_how_to_wake_it(run):
    with sleeper() as (process, who):
        put_state(run, who)
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        beat_at(run, 1.0)
        assert seen(run)[0] == "live"
        beat_at(run, 3.0)
        assert seen(run) == ("stalled", f"stopped by a signal, silent for 3 s; kill -CONT {process.pid} wakes it")
        os.kill(process.pid, signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED | os.WNOWAIT)
        assert seen(run)[0] == "live"


def test_a_trainer_that_hangs_while_it_starts_is_stalled_once_its_promise_is_over(run):
    with sleeper() as (_, who):
        put_state(run, who, "starting")
        beat_at(run, 100.0, 120.0)
        assert seen(run)[0] == "starting"
        beat_at(run, 200.0, 120.0)
        assert seen(run)[0] == "stalled"


def test_a_paused_trainer_is_paused_and_a_silent_one_is_stalled_all_the_same(run):
    with sleeper() as (_, who):
        put_state(run, who, "paused", paused=True)
        beat_at(run, 1)
        assert seen(run) == ("paused", "")
        beat_at(run, 300)
        assert seen(run) == ("stalled", "silent for 5 min")


@pytest.mark.parametrize(
    ("verb", "detail"), [("pause", "pausing..."), ("stop", "stopping..."), ("checkpoint", "saving..."), ("set", "")]
)
def test_a_request_shows_until_it_is_answered(run, verb, detail):
    with sleeper() as (_, who):
        put_state(run, who)
        beat_at(run, 1)
        posted = control.post(run, verb)
        assert seen(run) == ("live", detail)
        assert model.snapshot(run).pending == (verb,)
        control.acknowledge(run, posted, True)
        assert seen(run) == ("live", "")


def test_between_two_attempts_a_run_is_restarting(run):
    put_state(run, dead_identity(), "failed")
    crashed = attempt(dead_identity(), 2.0, number=signal.SIGSEGV)
    soon = time.time() + 30.4
    put_keeper(run, crashed, word="restarting", who=rundir.this_process(), restarts=1, next_start=soon)
    assert seen(run) == ("restarting", "attempt 2 of 6 in 30 s after SIGSEGV")
    assert model.snapshot(run).next_start == soon


def test_a_restarting_run_without_its_keeper_is_crashed(run):
    put_state(run, dead_identity())
    put_keeper(run, attempt(dead_identity(), 2.0, number=9), word="restarting", restarts=1)
    assert seen(run) == ("crashed", "SIGKILL")


def test_a_run_given_up_is_crashed_and_says_why(run):
    put_state(run, dead_identity(), "failed", error="ValueError: loss is nan")
    put_keeper(run, attempt(dead_identity(), 2.0, code=1), word="given up", why="two attempts died at the same step")
    assert seen(run) == ("crashed", "exit 1; ValueError: loss is nan; two attempts died at the same step")


def test_a_trainer_that_refused_its_config_is_crashed_with_the_last_line_of_its_log(run):
    (run.log / "attempt-1.log").write_text("warming up\nmoore_engine: no such data set: x.hdf5\n")
    put_keeper(run, attempt(dead_identity(), 2.0, code=2), word="finished", why="exit 2")
    assert seen(run) == ("crashed", "exit 2; moore_engine: no such data set: x.hdf5")
    assert model.snapshot(run).last_log_lines(2) == ["warming up", "moore_engine: no such data set: x.hdf5"]


def test_a_stopped_run_is_interrupted_and_says_from_where_it_resumes(run):
    put_state(run, dead_identity(), "stopped", exit=75)
    put_keeper(run, attempt(dead_identity(), 2.0, code=75), word="finished")
    for name in ("ckpt-900", "ckpt-1000", "ckpt-1000.1", "tmp-ckpt-2000", "switch"):
        (run.checkpoints / name).mkdir()
    assert seen(run) == ("interrupted", "resumable from ckpt-1000.1")
    assert model.snapshot(run).checkpoint == "ckpt-1000.1"


def test_a_killed_run_is_interrupted(run):
    put_state(run, dead_identity())
    put_keeper(run, attempt(dead_identity(), 2.0, number=9, killed=True), word="finished", why="killed")
    assert seen(run) == ("interrupted", "killed, resumable from the beginning")


def test_a_run_whose_end_nobody_saw_is_interrupted(run):
    put_state(run, dead_identity())
    put_keeper(run, attempt(dead_identity()))
    assert seen(run) == ("interrupted", "resumable from the beginning")


def test_after_a_reboot_a_run_is_interrupted(run):
    before = {**rundir.this_process(), "boot": "before"}
    put_state(run, before)
    put_keeper(run, attempt(before), who=before)
    assert seen(run)[0] == "interrupted"


def test_a_finished_run_is_done(run):
    put_state(run, dead_identity(), "done", exit=0)
    put_keeper(run, attempt(dead_identity(), 2.0, code=0), word="finished")
    snapshot = model.snapshot(run)
    assert (snapshot.state, snapshot.progress, snapshot.exit) == ("done", 1.0, 0)
    assert not snapshot.running


def test_a_run_of_another_host_that_beats_is_live_there(run):
    put_state(run, ELSEWHERE)
    beat_at(run, 30)
    snapshot = model.snapshot(run)
    assert (snapshot.state, snapshot.detail, snapshot.host) == ("live", "on far", "far")


def test_a_run_of_another_host_that_is_silent_is_lost(run):
    put_state(run, ELSEWHERE)
    put_keeper(run, attempt(ELSEWHERE), who=ELSEWHERE)
    beat_at(run, 600)
    assert seen(run) == ("lost", "on far, silent for 10 min")


def test_a_run_that_ended_on_another_host_is_not_lost(run):
    put_state(run, ELSEWHERE, "done")
    assert seen(run)[0] == "done"
    put_state(run, ELSEWHERE)
    put_keeper(run, attempt(ELSEWHERE, 2.0, number=11), word="given up", who=ELSEWHERE, why="x")
    assert seen(run) == ("crashed", "SIGSEGV; x")


def test_the_states_tried_here_are_all_there_are():
    assert set(status.STATES) >= set(status.RUNNING)
    assert len(status.STATES) == 9


def test_position_score_and_speed_come_from_the_newest_events(run):
    with sleeper() as (_, who):
        put_state(run, who, t=1.0, stage="offline", epoch=1, update=5, env_step=0)
        beat_at(run, 1)
        t = time.time()
        evaluation = event(1, "eval", score=71.5, return_mean="nan")
        speed = event(2, "perf", env_steps_per_s=3, updates_per_s=140.0, rss_mb=812, eta_s=100.0, doing="evaluating")
        write_events(run, evaluation, {**speed, "t": t - 40}, {**event(3), "t": t, "stage": "online", "env_step": 17})
        found = RunModel(run).snapshot(now=t)
    assert (found.stage, found.epoch, found.update, found.env_step) == ("online", 1, 3, 17)
    assert (found.score, found.eval_stage, found.eval_epoch) == (71.5, "offline", 1)
    assert found.return_mean != found.return_mean
    assert (found.env_steps_per_s, found.updates_per_s, found.rss_mb) == (3.0, 140.0, 812.0)
    assert found.doing == "evaluating"
    assert found.eta_s == pytest.approx(60.0)


def test_a_state_newer_than_the_events_gives_the_position(run):
    write_events(run, event(1))
    put_state(run, dead_identity(), t=5.0, stage="offline", epoch=2, update=99, env_step=0)
    assert model.snapshot(run).update == 99


def test_an_evaluation_of_a_dead_attempt_is_not_shown(run):
    write_events(run, event(1, "eval", score=1.0), event(2, "eval", score=2.0), event(3, "run", resumed_seq=1))
    assert model.snapshot(run).score == 1.0


def test_an_evaluation_of_the_frozen_policy_is_none_of_the_run(run):
    ordinary, frozen = event(1, "eval", score=1.0, epoch=8), event(2, "eval", score=9.0, epoch=9, baseline=1)
    write_events(run, ordinary, frozen)
    summed = RunModel(run)
    assert (summed.snapshot().score, summed.snapshot().eval_epoch) == (1.0, 8)
    write_events(run, ordinary, frozen, event(3, "eval", score=9.5, baseline=2))
    assert summed.snapshot().score == 1.0
    write_events(run, ordinary, frozen, event(3, "eval", score=9.5, baseline=2), event(4, "eval", score=2.0, epoch=10))
    assert (summed.snapshot().score, summed.snapshot().eval_epoch) == (2.0, 10)


def test_an_evaluation_far_back_is_found(run):
    write_events(run, event(1, "eval", score=4.0), *(event(seq) for seq in range(2, 3000)))
    assert model.snapshot(run).score == 4.0


def test_speed_is_that_of_a_live_run_only(run):
    put_state(run, dead_identity(), "stopped")
    write_events(run, event(1, "perf", eta_s=5, updates_per_s=3, doing="evaluating"))
    found = model.snapshot(run)
    assert (found.eta_s, found.updates_per_s, found.doing) == (None, None, "")


OFFLINE = {"epochs": 4, "updates_per_epoch": 100}
ONLINE = {"epochs": 3, "steps_per_epoch": 10, "updates_per_step": 20}


@pytest.mark.parametrize(
    ("stage", "update", "env_step", "progress"),
    [("offline", 0, 0, 0.0), ("offline", 100, 0, 0.1), ("online", 400, 0, 0.4), ("online", 700, 15, 0.7),
     ("online", 1000, 30, 1.0), (None, 0, 0, None)],
)  # fmt: skip
def test_progress_counts_the_planned_updates_of_both_stages(tmp_path, stage, update, env_step, progress):
    planned = plan.read(make_run(tmp_path, offline=OFFLINE, online=ONLINE).config)
    assert planned.progress(stage, update, env_step) == (None if progress is None else pytest.approx(progress))


def test_progress_of_an_offline_algorithm_ends_with_its_stage(tmp_path):
    planned = plan.read(make_run(tmp_path, run={"algo": "mopo"}, offline=OFFLINE, online=ONLINE).config)
    assert planned.progress("offline", 300, 0) == 0.75


def test_progress_of_an_algorithm_from_scratch_has_one_stage(tmp_path):
    planned = plan.read(make_run(tmp_path, run={"algo": "mbpo"}, offline=OFFLINE, online=ONLINE).config)
    assert [planned.progress("online", 300, env_step) for env_step in (0, 15, 30)] == [0.0, 0.5, 1.0]


def test_a_branch_plans_the_online_stage_only(tmp_path):
    planned = plan.read(make_run(tmp_path, run={"from_": "a@switch"}, offline=OFFLINE, online=ONLINE).config)
    assert planned.progress("online", 700, 15) == 0.5


def test_an_extension_that_was_granted_counts(tmp_path):
    run = make_run(tmp_path, offline=OFFLINE, online=ONLINE)
    put_state(run, dead_identity(), stage="online", epoch=3, update=1000, env_step=30)
    assert model.snapshot(run).progress == 1.0
    control.acknowledge(run, control.post(run, "set", key="online.epochs", value="8"), True)
    assert model.snapshot(run).progress == pytest.approx(0.5)
    assert model.snapshot(run).epochs == 8


def test_a_config_with_the_source_of_each_value_behind_it_is_scanned_all_the_same(tmp_path, monkeypatch):
    run = make_run(tmp_path, offline=OFFLINE, online=ONLINE, data={"task": "Hopper-v4"})
    written = plan.read(run.config)
    lines = run.config.read_text().splitlines()
    run.config.write_text("\n".join(line + "  # preset hopper" if " = " in line else line for line in lines) + "\n")
    monkeypatch.setattr(plan, "_parse", lambda text: pytest.fail("the slow way"))
    assert plan.read(run.config) == written


def test_a_number_that_json_reads_in_part_is_left_to_toml(tmp_path):
    run = make_run(tmp_path)
    run.config.write_text(run.config.read_text().replace("epochs = 1000\n", "epochs = 1_500\n"))
    assert plan.read(run.config).offline_epochs == 1500


def test_the_plan_of_a_config_written_by_hand_is_the_same(tmp_path):
    run = make_run(tmp_path, offline=OFFLINE, online=ONLINE, data={"task": "Hopper-v4", "path": 'a "quoted" file'})
    written = plan.read(run.config)
    text = run.config.read_text()
    run.config.write_text("# mine\n" + text.replace(" = ", "=") + "\n[notes]\nx = [1,\n 2]\n")
    assert plan.read(run.config) == written
    assert (written.task, written.dataset, written.seed) == ("Hopper-v4", 'a "quoted" file', 0)


@pytest.mark.parametrize(
    "body", ["", "null", "[]", '{"identity": 3, "attempts": 7}', '{"attempts": [3], "t": "x"}', "{"]
)
@pytest.mark.parametrize("name", ["state.json", "keeper.json", "config.toml", "events.jsonl", "control", "beat"])
def test_half_written_and_foreign_files_never_raise(run, name, body):
    path = run.path / name
    if path.is_dir():
        (path / "req-.json").write_text(body)
        (path / "ack-x.json").write_text(body)
        (path / "7-x").write_text(body)
    else:
        path.write_text(body)
    assert model.snapshot(run).state == "interrupted"


def test_a_folder_that_vanishes_gives_an_empty_summary(tmp_path):
    snapshot = model.snapshot(rundir.RunDir(tmp_path / "none"))
    assert (snapshot.state, snapshot.update, snapshot.last_log_lines()) == ("interrupted", None, [])


def test_a_model_sees_every_change_at_its_next_look(run):
    watched = RunModel(run)
    assert watched.snapshot().state == "interrupted"
    run.control.rmdir()
    lease = Lease(run, status="training")
    beat = Beat(run)
    assert watched.snapshot().state == "live"
    for score in range(20):
        write_events(run, *(event(seq, "eval", score=float(score)) for seq in range(1, 3)))
        assert watched.snapshot().score == score
    posted = control.post(run, "pause")
    assert watched.snapshot().pending == ("pause",)
    lease.update(status="paused", paused=True)
    control.acknowledge(run, posted, True)
    beat(10)
    assert (watched.snapshot().state, watched.snapshot().pending) == ("paused", ())


def test_a_file_changed_within_one_tick_of_the_clock_is_read_once_more(tmp_path):
    path = tmp_path / "state.json"
    cached = model.Cached(path, lambda path: path.read_text())
    stamp = time.time_ns()
    for text in ("a", "b"):
        path.write_text(text)
        os.utime(path, ns=(stamp, stamp))
        assert cached() == text


def test_a_file_at_rest_is_read_once(tmp_path):
    path = tmp_path / "state.json"
    cached = model.Cached(path, lambda path: object())
    path.touch()
    os.utime(path, (1, 1))
    assert cached() is cached()
    path.unlink()
    assert cached() is None


def test_a_summary_is_json(run):
    import json

    write_events(run, event(1, "eval", score=2.0, return_mean=3.0))
    assert json.loads(json.dumps(model.snapshot(run).as_dict()))["score"] == 2.0


def test_two_hundred_runs_are_summed_up_in_a_moment(tmp_path):
    block = b"".join(line(event(seq, "eval" if seq % 10 == 0 else "loss", score=1.0)) for seq in range(1, 200))
    for number in range(200):
        run = make_run(tmp_path, f"run-{number}") if number == 0 else _copy(tmp_path, number)
        put_state(run, dead_identity(), "stopped")
        run.events.write_bytes(block)
    from moore_tui.runs import store

    start = time.process_time()
    assert sum(model.snapshot(run).score == 1.0 for run in store.listing(tmp_path)) == 200
    assert time.process_time() - start < 0.5


def _copy(folder, number):
    run = rundir.RunDir(folder / f"run-{number}")
    run.path.mkdir()
    run.make()
    run.config.write_bytes((folder / "run-0" / "config.toml").read_bytes())
    return run


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (300, "5 min"), (3600 * 3.5, "3.5 h"), (86400 * 2.1, "2.1 d")]
)
def test_spans_are_short(seconds, text):
    assert status.span(seconds) == text


def test_a_run_is_as_old_as_its_first_attempt_though_its_configuration_was_copied(run):
    put_keeper(run, attempt(dead_identity(), 2.0, code=0), word="finished")
    assert model.snapshot(run).created == 1.0
    run.keeper.unlink()
    assert model.snapshot(run).created == run.config.stat().st_mtime
