"""A runs folder as the console sees it: runs that come, change, die, move and vanish; curves read in slices."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest

from moore_engine import control
from moore_engine.rundir import write_json
from moore_tui.runs import feed as module
from moore_tui.runs import notes, watched
from moore_tui.runs.feed import Feed
from moore_tui.runs.notes import Note
from tests.tui.made_runs import (
    beat_at,
    dead_identity,
    event,
    identity_of,
    line,
    make_run,
    sleeper,
    wait_for,
    write_events,
)

OLD = 1_700_000_000


def finished(folder, name, *events, status="done"):
    """A run that is over, with time stamps old enough to be trusted."""
    run = make_run(folder, name)
    write_json(run.state, {"v": 1, "attempt": 1, "identity": dead_identity(), "status": status, "t": 1.0})
    write_events(run, *(events or (event(1, "eval", return_mean=1.0, score=2.0),)))
    age(run.path)
    return run


def age(folder):
    """Make a folder and all in it look long untouched."""
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (OLD, OLD), follow_symlinks=False)


def living(folder, name, process, *events):
    """A run whose trainer is `process`."""
    run = make_run(folder, name)
    write_json(run.state, {"v": 1, "attempt": 1, "identity": identity_of(process.pid), "status": "training"})
    write_events(run, *events)
    beat_at(run, 0.0, 60.0)
    return run


def states(feed):
    return {name: shot.state for name, shot in feed.snapshots.items()}


@pytest.fixture
def feed(tmp_path):
    return Feed(tmp_path)


# --- the folder ---


def test_a_folder_that_is_not_there_has_no_runs_until_it_comes(tmp_path):
    feed = Feed(tmp_path / "runs")
    assert not feed.poll()
    assert (feed.snapshots, feed.trouble) == ({}, "")
    finished(tmp_path / "runs", "one")
    assert feed.poll()
    assert states(feed) == {"one": "done"}


def test_runs_appear_and_disappear(tmp_path, feed):
    finished(tmp_path, "one")
    assert feed.poll()
    finished(tmp_path, "two")
    assert feed.poll()
    assert list(feed.snapshots) == ["one", "two"]
    shutil.rmtree(tmp_path / "one")
    assert feed.poll()
    assert list(feed.snapshots) == ["two"]
    assert feed.plan("one").algo is None
    assert feed.note("one") == Note()


def test_a_renamed_run_has_its_new_name(tmp_path, feed):
    finished(tmp_path, "one")
    feed.open(["one"])
    feed.poll()
    (tmp_path / "one").rename(tmp_path / "two")
    feed.open(["one", "two"])
    feed.poll()
    assert list(feed.snapshots) == ["two"]
    assert feed.series("one") is None
    assert feed.series("two").table("eval").rows == 1


def test_as_long_as_only_the_near_ones_are_wanted_the_runs_that_changed_last_are_looked_at(tmp_path, feed):
    for number, name in enumerate(("a", "b", "c", "d")):
        finished(tmp_path, name)
        os.utime(tmp_path / name, (OLD, OLD + 10 * (number % 3)))
    feed.near = 2
    assert feed.poll() and not feed.poll()
    assert list(feed.snapshots) == ["b", "c"]
    assert not feed.more
    feed.near = None
    assert feed.poll()
    assert list(feed.snapshots) == ["a", "b", "c", "d"]


def test_a_run_that_was_just_opened_is_still_to_be_read(tmp_path, feed):
    finished(tmp_path, "one")
    feed.poll()
    assert not feed.more
    feed.open(["one", "nowhere"])
    assert feed.more
    feed.poll()
    assert not feed.more


def test_only_the_logs_asked_for_last_are_kept(tmp_path, feed):
    names = ["a", "b", "c", "d"]
    for name in names:
        finished(tmp_path, name)
    feed.open(names)
    feed.poll()
    books = {name: feed.log(name) for name in names}
    feed.poll()
    assert feed.log("b") is books["b"]
    assert feed.log("a") is not books["a"]


def test_an_open_run_that_is_deleted_is_forgotten(tmp_path, feed):
    finished(tmp_path, "one")
    feed.open(["one"])
    feed.poll()
    assert feed.log("one") is not None
    shutil.rmtree(tmp_path / "one")
    feed.poll()
    assert (feed.series("one"), feed.log("one"), feed.snapshots, feed.more) == (None, None, {}, False)


def test_another_run_under_the_same_name_is_another_run(tmp_path, feed):
    finished(tmp_path, "one", event(1, "eval", return_mean=1.0))
    feed.open(["one"])
    feed.poll()
    before = feed.series("one")
    finished(tmp_path / "elsewhere", "one", event(1, "eval", return_mean=7.0))
    (tmp_path / "one").rename(tmp_path / ".gone")
    (tmp_path / "elsewhere" / "one").rename(tmp_path / "one")
    feed.poll()
    feed.poll()
    assert feed.snapshots["one"].return_mean == 7.0
    assert feed.series("one") is not before
    assert list(feed.series("one").table("eval").column("return_mean")) == [7.0]


def test_what_is_no_run_is_left_out_and_a_run_that_is_copied_in_slowly_is_found(tmp_path, feed):
    (tmp_path / "notes.txt").write_text("no run")
    (tmp_path / "slow").mkdir()
    (tmp_path / ".hidden").mkdir()
    other = finished(tmp_path / ".source", "x")
    age(tmp_path)
    now = time.time()
    feed.poll(now)
    assert feed.snapshots == {}
    shutil.copy(other.config, tmp_path / "slow" / "config.toml")
    feed.poll(now + module.RETRY_S / 2)
    assert feed.snapshots == {}
    feed.poll(now + module.RETRY_S + 1)
    assert list(feed.snapshots) == ["slow"]


def test_a_run_that_comes_within_the_tick_of_the_clock_in_which_the_folder_was_listed_is_found(tmp_path, feed):
    finished(tmp_path, "one")
    feed.poll()
    stamp = tmp_path.stat().st_mtime_ns
    finished(tmp_path, "two")
    os.utime(tmp_path, ns=(stamp, stamp))
    feed.poll()
    assert list(feed.snapshots) == ["one", "two"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_says_so_and_keeps_what_was_known(tmp_path, feed):
    finished(tmp_path, "one")
    feed.poll()
    tmp_path.chmod(0)
    try:
        assert feed.poll()
        assert "cannot be read" in feed.trouble
        assert list(feed.snapshots) == ["one"]
    finally:
        tmp_path.chmod(0o755)
    assert feed.poll()
    assert feed.trouble == ""


def test_a_folder_that_fails_says_so_and_keeps_what_was_known(tmp_path, feed, monkeypatch):
    finished(tmp_path, "one")
    feed.poll()

    def stale(path):
        raise OSError(116, "Stale file handle")

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "scandir", stale)
        os.utime(tmp_path)
        assert feed.poll()
        assert feed.trouble == f"{tmp_path} cannot be read: Stale file handle"
        assert states(feed) == {"one": "done"}
    assert feed.poll()
    assert feed.trouble == ""


# --- snapshots ---


def test_a_finished_run_is_left_alone_until_something_of_it_changes(tmp_path, feed, monkeypatch):
    run = finished(tmp_path, "one")
    finished(tmp_path, "two")
    feed.poll()
    before = feed.snapshots
    looked = []
    monkeypatch.setattr(
        watched.RunModel, "snapshot", lambda self, now: looked.append(self.run.id) or before[self.run.id]
    )
    for _ in range(4):
        assert not feed.poll()
    assert feed.snapshots is before
    assert sorted(looked) == ["one", "one", "two", "two"]  # in turn, one a poll, for what no stamp tells
    looked.clear()
    write_json(run.state, {"v": 1, "status": "stopped"})
    feed.poll()
    feed.poll()
    assert looked.count("one") == 2


def test_what_changed_a_moment_ago_is_looked_at_again(tmp_path, feed):
    run = make_run(tmp_path, "one")
    write_json(run.state, {"v": 1, "identity": dead_identity(), "status": "stopped"})
    feed.poll()
    assert states(feed) == {"one": "interrupted"}
    write_json(run.state, {"v": 1, "identity": dead_identity(), "status": "done"})
    assert feed.poll()
    assert states(feed) == {"one": "done"}


def test_events_that_another_host_appends_are_seen_though_the_run_is_over(tmp_path, feed):
    run = finished(tmp_path, "one")
    for number in range(10):
        finished(tmp_path, f"other-{number}")
    feed.open(["one"])
    feed.poll()
    with open(run.events, "ab") as file:
        file.write(line(event(2, "eval", return_mean=9.0)))
    assert feed.poll()
    assert feed.snapshots["one"].return_mean == 9.0
    assert feed.series("one").events_seen == 2


def test_a_crash_is_seen_at_the_next_poll(tmp_path, feed):
    with sleeper() as (process, _):
        living(tmp_path, "one", process, event(1))
        feed.poll()
        assert (states(feed), feed.live) == ({"one": "live"}, 1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert feed.poll()
    assert (states(feed), feed.live) == ({"one": "interrupted"}, 0)


def test_silence_is_seen_as_time_passes(tmp_path, feed):
    with sleeper() as (process, _):
        living(tmp_path, "one", process, event(1))
        now = time.time()
        feed.poll(now)
        assert states(feed) == {"one": "live"}
        assert feed.poll(now + 100)
        assert states(feed) == {"one": "stalled"}


def test_a_request_is_seen_at_once(tmp_path, feed):
    with sleeper() as (process, _):
        run = living(tmp_path, "one", process, event(1))
        feed.poll()
        control.post(run, "pause")
        feed.poll()
        assert feed.snapshots["one"].pending == ("pause",)


def test_a_run_of_another_host_is_lost_in_time_and_looked_at_seldom_then(tmp_path, feed, monkeypatch):
    run = make_run(tmp_path, "one")
    elsewhere = {**dead_identity(), "host": "elsewhere"}
    write_json(run.state, {"v": 1, "identity": elsewhere, "status": "training"})
    beat_at(run, 0.0, 60.0)
    now = time.time()
    feed.poll(now)
    assert states(feed) == {"one": "live"}
    finished(tmp_path, "two")
    feed.poll(now + 3600)
    assert states(feed)["one"] == "lost"
    age(run.path)
    feed.poll(now + 3601)
    looked = []
    shot = feed.snapshots["one"]
    monkeypatch.setattr(watched.RunModel, "snapshot", lambda self, now: looked.append(self.run.id) or shot)
    for second in range(2, 22):
        feed.poll(now + 3601 + second * 0.1)
    assert looked.count("one") <= 11  # one poll in two is its turn
    feed.poll(now + 3700)
    assert "one" in looked


def test_the_plan_and_the_note_are_at_hand(tmp_path, feed):
    run = make_run(tmp_path, "one", offline={"epochs": 7})
    feed.poll()
    assert (feed.plan("one").offline_epochs, feed.note("one")) == (7, Note())
    notes.write(run, Note(("a", "b"), "text"))
    assert feed.note("one") == Note(("a", "b"), "text")


def test_the_stamp_rises_only_when_something_changed(tmp_path, feed):
    finished(tmp_path, "one")
    feed.poll()
    first = feed.stamp()
    feed.poll()
    assert feed.stamp() == first
    finished(tmp_path, "two")
    feed.poll()
    assert feed.stamp() > first


# --- curves ---


def test_only_open_runs_are_read(tmp_path, feed):
    for name in ("one", "two"):
        finished(tmp_path, name)
    feed.poll()
    assert feed.series("one") is None
    feed.open(["two"])
    assert feed.poll()
    assert (feed.series("one"), feed.series("two").events_seen) == (None, 1)


def test_events_come_as_they_are_written_torn_lines_too(tmp_path, feed):
    with sleeper() as (process, _):
        run = living(tmp_path, "one", process, event(1, q=1.0))
        feed.open(["one"])
        feed.poll()
        whole = line(event(2, q=2.0))
        with open(run.events, "ab") as file:
            file.write(whole[:20])
            file.flush()
            feed.poll()
            assert feed.series("one").events_seen == 1
            file.write(whole[20:])
        assert feed.poll()
        assert list(feed.series("one").table("loss").column("q")) == [1.0, 2.0]


def test_a_dead_attempt_is_taken_back(tmp_path, feed):
    with sleeper() as (process, _):
        run = living(tmp_path, "one", process, event(1, q=1.0), event(2, q=2.0), event(3, q=3.0))
        feed.open(["one"])
        feed.poll()
        with open(run.events, "ab") as file:
            file.write(line(event(4, "run", resumed_seq=1)))
        feed.poll()
        assert list(feed.series("one").table("loss").column("q")) == [1.0]


def test_a_long_file_comes_in_slices_within_the_budget_and_says_so(tmp_path, feed):
    finished(tmp_path, "one", *(event(seq, q=1.0, filler="x" * 400) for seq in range(1, 2001)))
    feed.open(["one"])
    assert feed.poll(budget_s=0.0)
    first = feed.series("one")
    assert 0 < first.events_seen < 2000
    assert 0 < first.loaded < 1
    assert feed.more
    version = first.version
    while feed.more:
        assert feed.poll(budget_s=0.0)
    assert first.version > version
    assert (first.events_seen, first.loaded) == (2000, 1.0)
    assert not feed.poll()


def test_the_first_open_run_is_read_first_and_the_others_are_not_starved(tmp_path, feed):
    for name in ("one", "two"):
        finished(tmp_path, name, *(event(seq, filler="x" * 400) for seq in range(1, 2001)))
    feed.open(["two", "one"])
    feed.poll(budget_s=0.0)
    assert min(feed.series("one").events_seen, feed.series("two").events_seen) > 0


def test_curves_of_a_run_that_is_left_are_kept_and_brought_up_to_date_when_it_is_opened_again(tmp_path, feed):
    run = finished(tmp_path, "one")
    finished(tmp_path, "two")
    feed.open(["one"])
    feed.poll()
    series = feed.series("one")
    feed.open(["two"])
    feed.poll()
    assert feed.series("one") is series
    with open(run.events, "ab") as file:
        file.write(line(event(2)))
    feed.poll()
    assert series.events_seen == 1
    feed.open(["one"])
    feed.poll()
    assert feed.series("one") is series
    assert series.events_seen == 2


def test_the_longest_forgotten_curves_go_first(tmp_path, feed, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 3)
    names = [f"run-{number}" for number in range(5)]
    for name in names:
        finished(tmp_path, name)
    for name in (*names[:3], names[0], *names[3:]):
        feed.open([name])
        feed.poll()
    assert [feed.series(name) is not None for name in names] == [True, False, False, True, True]
    feed.open(names)
    feed.poll()
    assert all(feed.series(name) is not None for name in names)


def test_a_replaced_events_file_is_read_anew(tmp_path, feed):
    run = finished(tmp_path, "one", event(1, q=1.0), event(2, q=2.0))
    feed.open(["one"])
    feed.poll()
    other = tmp_path / "one" / "other"
    other.write_bytes(line(event(1, q=9.0)))
    other.replace(run.events)
    feed.poll()
    assert list(feed.series("one").table("loss").column("q")) == [9.0]
    run.events.unlink()
    feed.poll()
    assert feed.series("one").events_seen == 0


def test_an_unreadable_events_file_leaves_the_run_in_the_list(tmp_path, feed):
    run = finished(tmp_path, "one")
    run.events.unlink()
    run.events.mkdir()
    feed.open(["one"])
    feed.poll()
    assert list(feed.snapshots) == ["one"]
    assert feed.series("one").events_seen == 0


def test_a_branch_shows_its_parents_curve_before_its_own(tmp_path, feed):
    parent = finished(tmp_path, "parent", *(event(seq, "eval", return_mean=float(seq)) for seq in range(1, 6)))
    checkpoint = parent.checkpoints / "switch"
    checkpoint.mkdir()
    write_json(checkpoint / "manifest.json", {"seq": 3})
    for name in ("child", "other"):
        run = make_run(tmp_path, name, run={"from_": f"{parent.path}@switch#0123"})
        write_events(run, event(1, "eval", return_mean=30.0))
    feed.open(["child", "other"])
    feed.poll()
    for name in ("child", "other"):
        wait_for(lambda name=name: feed.poll() or feed.series(name).table("eval").rows == 4, "the parent's curve", 5)
        assert list(feed.series(name).table("eval").column("return_mean")) == [1.0, 2.0, 3.0, 30.0]
    assert not feed.more


def test_a_branch_whose_parent_is_gone_or_which_is_its_own_has_its_own_curve(tmp_path, feed):
    lost = make_run(tmp_path, "lost", run={"from_": f"{tmp_path / 'nowhere'}@switch#0123"})
    write_events(lost, event(1, "eval", return_mean=1.0))
    ring = make_run(tmp_path, "ring", run={"from_": f"{tmp_path / 'ring'}@switch#0123"})
    write_events(ring, event(1, "eval", return_mean=1.0))
    (ring.checkpoints / "switch").mkdir()
    write_json(ring.checkpoints / "switch" / "manifest.json", {"seq": 1})
    feed.open(["lost", "ring"])
    for _ in range(4):
        feed.poll()
    assert feed.series("lost").table("eval").rows == 1
    assert feed.series("ring").table("eval").rows == 2
    assert not feed.more


# --- speed ---


def fastest(times, do):
    found = []
    for _ in range(times):
        start = time.process_time()
        do()
        found.append(time.process_time() - start)
    return min(found)


def test_two_hundred_finished_runs_cost_next_to_nothing(tmp_path):
    for number in range(200):
        finished(tmp_path, f"run-{number:03}")
    age(tmp_path)
    feed = Feed(tmp_path)
    first = fastest(1, feed.poll)
    assert len(feed.snapshots) == 200
    assert first < 0.6  # 0.1 s on an idle machine
    assert fastest(20, feed.poll) < 0.006  # 1.2 ms
