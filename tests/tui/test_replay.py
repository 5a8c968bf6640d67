"""A run played again: at any speed it ends in the curves that a reader of the whole file has."""

from __future__ import annotations

import math
import tomllib
from fnmatch import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moore_engine.rundir import RunDir, write_json
from moore_tui.runs import store
from moore_tui.runs.feed import Feed
from moore_tui.runs.replay import Replay
from tests.tui.made_runs import ROOT, dead_identity, event, line, make_run, wait_for, write_events

EXAMPLE = ROOT / "runs" / "example"


class Clock:
    """A time that passes when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def finished(folder, *events, name="one"):
    run = make_run(folder, name, offline={"epochs": 2, "updates_per_epoch": 10})
    write_json(run.state, {"v": 1, "attempt": 1, "identity": dead_identity(), "status": "done"})
    write_events(run, *events)
    return run


def begun(run, speed=1.0):
    """A replay that is ready to play, and its clock."""
    clock = Clock()
    replay = Replay(run, speed, clock)
    replay.poll()
    while replay.more:
        replay.poll()
    replay.poll()
    return replay, clock


def pass_time(replay, clock, seconds):
    clock.now += seconds
    replay.poll()
    while replay.more:
        replay.poll()


def tells(series):
    """Everything that a series says, as plain lists."""
    return {
        kind: {name: list(series.table(kind).column(name)) for name in series.table(kind).names}
        for kind in sorted(series.kinds)
    } | {f"last {kind}": series.last(kind) for kind in sorted(series.kinds)}


def same(one, other):
    return repr(one) == repr(other)


def feeds_view(run):
    feed = Feed(run.path.parent)
    feed.open([run.path.name])
    wait_for(lambda: not feed.poll() and not feed.more, "the whole file", 5)
    return feed.series(run.path.name)


# --- the law ---

STEPS = st.lists(st.floats(0.0, 500.0), max_size=12)
GAPS = st.lists(
    st.tuples(st.floats(0, 50), st.sampled_from(["loss", "eval", "perf", "run", "pause", "resume"])), max_size=25
)


@settings(max_examples=40)
@given(GAPS, st.floats(0.1, 1e6), st.lists(st.floats(0, 1), max_size=4), st.integers(0, 25))
def test_at_any_speed_and_after_any_search_the_end_is_the_feeds(tmp_path_factory, script, speed, places, back):
    folder = tmp_path_factory.mktemp("replay")
    bodies, now = [], 1e9
    for seq, (gap, kind) in enumerate(script, 1):
        now += gap
        fields = {"t": now, "att": 1 + seq // 10, "q": float(seq), "return_mean": float(seq)}
        if kind in ("pause", "resume"):
            bodies.append(event(seq, "ack", verb=kind, ok=True, **fields))
        elif kind == "run":
            bodies.append(event(seq, "run", resumed_seq=max(0, seq - back), **fields))
        else:
            bodies.append(event(seq, kind, **fields))
    run = finished(folder, *bodies)
    replay, clock = begun(run, speed)
    for place in places:
        replay.seek(place)
        pass_time(replay, clock, 0.25)
    pass_time(replay, clock, 1e9)
    assert replay.done
    assert replay.place == 1.0
    assert same(tells(replay.series("one")), tells(feeds_view(run)))


# --- time ---


def test_events_come_at_their_times_as_much_faster_as_asked(tmp_path):
    run = finished(tmp_path, *(event(seq, t=1000.0 + 10 * seq) for seq in range(1, 11)))
    replay, clock = begun(run, speed=20.0)
    assert replay.series("one").events_seen == 1
    pass_time(replay, clock, 1.0)
    assert replay.series("one").events_seen == 3
    replay.speed = 40.0
    pass_time(replay, clock, 1.0)
    assert replay.series("one").events_seen == 7
    assert replay.place == pytest.approx(60 / 90)


def test_while_it_is_held_no_time_passes_and_none_is_made_up_for(tmp_path):
    run = finished(tmp_path, *(event(seq, t=float(seq)) for seq in range(1, 101)))
    replay, clock = begun(run)
    pass_time(replay, clock, 10.0)
    replay.paused = True
    pass_time(replay, clock, 30.0)
    pass_time(replay, clock, 30.0)
    assert (replay.series("one").events_seen, replay.live) == (11, 0)
    clock.now += 30.0
    replay.paused = False
    replay.poll()
    assert (replay.series("one").events_seen, replay.live) == (11, 1)
    pass_time(replay, clock, 1.0)
    assert replay.series("one").events_seen == 12


def test_pauses_and_gaps_between_attempts_are_squeezed(tmp_path):
    run = finished(
        tmp_path,
        event(1, t=0.0),
        event(2, "ack", t=10.0, verb="pause", ok=True),
        event(3, "perf", t=5000.0),
        event(4, "ack", t=9000.0, verb="resume", ok=True),
        event(5, t=9010.0),
        event(6, "run", t=99_000.0, att=2, resumed_seq=5),
        event(7, t=99_020.0, att=2),
    )
    replay, clock = begun(run)
    pass_time(replay, clock, 10.0)
    assert replay.snapshots["one"].state == "paused"
    pass_time(replay, clock, 2.0 + 2.0)
    assert (replay.series("one").events_seen, replay.snapshots["one"].state) == (4, "live")
    pass_time(replay, clock, 10.0 + 2.0)
    assert replay.series("one").events_seen == 6
    pass_time(replay, clock, 19.0)
    assert not replay.done
    pass_time(replay, clock, 1.0)
    assert replay.done


def test_a_refused_pause_is_none(tmp_path):
    run = finished(tmp_path, event(1, t=0.0), event(2, "ack", t=1.0, verb="pause", ok=False), event(3, t=31.0))
    replay, clock = begun(run)
    pass_time(replay, clock, 30.0)
    assert not replay.done


def test_a_clock_that_went_back_stops_nothing(tmp_path):
    run = finished(tmp_path, event(1, t=100.0), event(2, t=50.0), event(3, "loss", t="nan"), event(4, t=101.0))
    replay, clock = begun(run)
    pass_time(replay, clock, 30.0)
    assert not replay.done
    pass_time(replay, clock, 30.0)
    assert replay.done


# --- searching ---


def test_seeking_goes_there_and_back(tmp_path):
    run = finished(tmp_path, *(event(seq, t=float(seq), q=float(seq), word=f"w{seq}") for seq in range(1, 2002)))
    replay, clock = begun(run)
    for share, seen in ((0.5, 1001), (0.9, 1801), (0.1, 201), (0.0, 1), (1.0, 2001)):
        replay.seek(share)
        assert replay.more
        pass_time(replay, clock, 0.0)
        series = replay.series("one")
        assert series.events_seen == seen
        assert list(series.table("loss").column("q")) == [float(seq) for seq in range(1, seen + 1)]
        assert series.last("loss")["word"] == f"w{seen}"
    assert replay.done


def test_a_done_replay_goes_on_after_a_step_back(tmp_path):
    run = finished(tmp_path, *(event(seq, t=float(seq)) for seq in range(1, 11)))
    replay, clock = begun(run)
    pass_time(replay, clock, 100.0)
    assert (replay.done, replay.live, replay.snapshots["one"].state) == (True, 0, "done")
    replay.seek(0.5)
    pass_time(replay, clock, 0.0)
    assert (replay.done, replay.live, replay.snapshots["one"].state) == (False, 1, "live")


def test_the_log_goes_along(tmp_path):
    run = finished(tmp_path, *(event(seq, "warn", t=float(seq), what=f"warning {seq}") for seq in range(1, 2002)))
    replay, clock = begun(run)
    pass_time(replay, clock, 4.0)
    assert [each.text for each in replay.log("one").lines] == [f"warning {seq}" for seq in range(1, 6)]
    for share, seen in ((0.9, 1801), (0.5, 1001), (0.0, 1)):
        replay.seek(share)
        pass_time(replay, clock, 0.0)
        assert [each.text for each in replay.log("one").lines] == [f"warning {seq}" for seq in range(1, seen + 1)]


# --- what it shows ---


def test_the_state_is_made_up_of_what_has_been_played(tmp_path):
    run = finished(
        tmp_path,
        event(1, "run", t=0.0, update=0, resumed_seq=0),
        event(2, "eval", t=10.0, update=10, epoch=2, score=5.0, return_mean=50.0, return_std="nan"),
        event(3, "perf", t=11.0, update=12, epoch=2, updates_per_s=7.0, env_steps_per_s=0, eta_s=None, rss_mb=99),
        event(4, t=30.0, update=20, epoch=3),
    )
    replay = Replay(run, 1.0, Clock())
    replay.poll()
    first = replay.snapshots["one"]
    assert (first.state, first.kept, first.score) == ("starting", True, None)
    replay, clock = begun(run)
    pass_time(replay, clock, 12.0)
    shot = replay.snapshots["one"]
    assert (shot.state, shot.epoch, shot.epochs, shot.update, shot.score) == ("live", 2, 2, 12, 5.0)
    assert (shot.updates_per_s, shot.eta_s, shot.rss_mb, shot.attempt) == (7.0, None, 99.0, 1)
    assert math.isnan(shot.return_std)
    assert 0 < shot.progress < 1
    assert shot.path == run.path


def test_it_has_one_run_only(tmp_path):
    replay, _ = begun(finished(tmp_path, event(1)))
    replay.open(["other"])
    assert list(replay.snapshots) == ["one"]
    assert (replay.series("other"), replay.log("other"), replay.plan("other").algo) == (None, None, None)
    assert replay.plan("one").offline_epochs == 2


def test_a_branch_begins_with_its_parents_curve(tmp_path):
    parent = finished(tmp_path, *(event(seq, "eval", t=float(seq)) for seq in range(1, 6)), name="parent")
    (parent.checkpoints / "switch").mkdir()
    write_json(parent.checkpoints / "switch" / "manifest.json", {"seq": 3})
    run = make_run(tmp_path, "child", run={"from_": f"{parent.path}@switch#0123"})
    write_events(run, event(1, "eval", t=100.0), event(2, "eval", t=110.0))
    replay = Replay(run, 1.0, Clock())
    wait_for(lambda: replay.poll() and replay.series("child").table("eval").rows == 4, "the parent's curve", 5)
    assert list(replay.series("child").x("eval", "wall")) == [0, 1, 2, 2]


@pytest.mark.parametrize("content", [None, b"", b"nonsense\n", b'{"torn'])
def test_a_run_without_events_is_over_at_once(tmp_path, content):
    run = make_run(tmp_path, "one")
    if content is not None:
        run.events.write_bytes(content)
    replay, _ = begun(run)
    assert (replay.done, replay.more, replay.live) == (True, False, 0)
    assert replay.snapshots["one"].state == "interrupted"
    assert bool(replay.trouble) == (content is None)


def test_events_that_change_under_the_replay_end_it_with_a_word(tmp_path):
    run = finished(tmp_path, *(event(seq, t=float(seq)) for seq in range(11, 21)))
    replay, clock = begun(run)
    run.events.write_bytes(b"".join(line(event(seq, t=float(seq))) for seq in range(51, 61)))
    pass_time(replay, clock, 5.0)
    assert "has changed" in replay.trouble
    assert (replay.done, replay.more) == (True, False)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_that_is_not_above_0_is_refused(tmp_path, speed):
    with pytest.raises(ValueError, match="above 0"):
        Replay(finished(tmp_path, event(1)), speed)


def test_twenty_thousand_events_are_read_and_played_in_slices(tmp_path):
    run = finished(tmp_path)
    run.events.write_bytes(b"".join(line(event(seq, t=float(seq))) for seq in range(1, 20_001)))
    clock = Clock()
    replay = Replay(run, 1.0, clock)
    polls = 1
    replay.poll(budget_s=0.0)
    assert 0 < replay.series("one").loaded < 0.2
    while not replay.series("one").events_seen:
        replay.poll()
        polls += 1
    assert polls > 1
    replay.seek(0.99)
    replay.poll(budget_s=0.0)
    assert replay.more
    pass_time(replay, clock, 0.0)
    assert replay.series("one").events_seen == pytest.approx(19_800, abs=2)


# --- the example ---


def test_the_example_comes_with_the_console_and_fills_every_pane():
    run = store.example()
    assert run is not None
    assert run.path.resolve() == EXAMPLE
    replay, clock = begun(run, 60.0)
    pass_time(replay, clock, 1e6)
    series = replay.series("example")
    for kind in ("eval", "baseline", "share", "unc", "loss", "model", "perf", "ckpt", "rue", "ack"):
        assert series.table(kind).rows > 0, kind
    assert series.switch is not None
    assert len(series.attempts) == 2
    assert replay.snapshots["example"].state == "done"
    assert {each.source for each in replay.log("example").lines} == {"event"}
    assert replay.note("example").tags == ("example", "quickstart")


def test_the_example_is_over_in_some_seconds_at_the_usual_speed():
    replay, clock = begun(RunDir(EXAMPLE), 60.0)
    pass_time(replay, clock, 6.0)
    assert replay.done


def test_nothing_of_the_example_tells_on_which_machine_it_was_made():
    for path in EXAMPLE.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert not any(word in text for word in ("/home", "/tmp", "/work", "/root", '"vm"', "@vm")), path


def test_every_file_of_the_example_is_packed():
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["moore_tui"]
    for path in EXAMPLE.rglob("*"):
        name = f"example/{path.relative_to(EXAMPLE)}"
        assert path.is_dir() or any(fnmatch(name, pattern) for pattern in packed), name
