"""Whatever a run's files hold, the console goes on: random values in every field of every file it reads."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moore_engine import events
from moore_engine.rundir import this_process
from moore_tui.runs import aggregate, alerts, notes
from moore_tui.runs.feed import Feed
from moore_tui.runs.replay import Replay
from moore_tui.runs.series import AXES
from tests.tui.made_runs import make_run

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["nan", "inf", 10**400])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


def objects(names, sound=None):
    """A JSON object with some of these fields, each of any kind or as `sound` gives it."""
    sound = sound or {}
    field = st.sampled_from(names).flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(sound.get(name, VALUES), VALUES))
    )
    return st.lists(field, max_size=8).map(dict)


FIELDS = sorted({field for fields in events.KINDS.values() for field in fields} | {"baseline", "resumed_from", "key"})
EVENT = st.builds(
    lambda kind, seq, body: {**body, "k": kind, "seq": seq},
    st.sampled_from([*events.KINDS, "unheard-of"]),
    st.integers(-3, 2**70),
    objects(
        ["att", "t", "stage", "epoch", "update", "env_step", *FIELDS], {"stage": st.sampled_from(["offline", "online"])}
    ),
)
IDENTITY = st.one_of(st.just(this_process()), objects(["host", "boot", "pid", "start"]))
STATE = objects(
    ["attempt", "identity", "paused", "status", "t", "stage", "epoch", "update", "env_step", "error"],
    {"identity": IDENTITY, "status": st.sampled_from(["starting", "training", "done", "failed", "stopped"])},
)
ATTEMPT = objects(["n", "identity", "started", "ended", "exit", "signal", "killed", "at"], {"identity": IDENTITY})
KEEPER = objects(
    ["identity", "status", "why", "policy", "restarts", "next_start", "attempts"],
    {
        "identity": IDENTITY,
        "status": st.sampled_from(["running", "restarting", "finished", "given up"]),
        "attempts": st.lists(ATTEMPT, max_size=2),
        "policy": objects(["max_restarts"]),
    },
)
ACK = objects(
    ["id", "verb", "ok", "args"],
    {"verb": st.just("set"), "ok": st.just(True), "args": objects(["key", "value"], {"key": st.just("online.epochs")})},
)


def text(value):
    return json.dumps(value).encode()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(EVENT, max_size=12),
    STATE,
    KEEPER,
    ACK,
    VALUES,
    st.binary(max_size=60),
    st.sampled_from(["", "7-5", "x", "7-nan"]),
)
def test_nothing_in_a_run_directory_stops_the_console(tmp_path_factory, bodies, state, keeper, ack, note, junk, beat):
    run = make_run(tmp_path_factory.mktemp("fuzz"), "one")
    run.state.write_bytes(text(state))
    run.keeper.write_bytes(text(keeper))
    (run.control / "ack-1.json").write_bytes(text(ack))
    (run.path / notes.NAME).write_bytes(text(note))
    (run.log / "attempt-1.log").write_bytes(junk)
    (run.log / "keeper.log").write_bytes(junk)
    if beat:
        (run.beat / beat).touch()
    run.events.write_bytes(b"\n".join([*map(text, bodies), junk]))
    feed = Feed(run.path.parent)
    feed.open(["one"])
    for _ in range(3):
        feed.poll()
        feed.log("one")
    assert list(feed.snapshots) == ["one"]
    assert json.dumps(feed.snapshots["one"].as_dict())
    look_at(feed, "one")
    replay = Replay(run, 1e12)
    for _ in range(3):
        replay.poll()
    look_at(replay, "one")


def look_at(facts, name):
    """Everything that panes ask for."""
    series, plan = facts.series(name), facts.plan(name)
    for kind in series.kinds:
        table = series.table(kind)
        for column in table.names:
            assert len(table.column(column)) == table.rows
        for axis in AXES:
            assert len(series.x(kind, axis)) == table.rows
    for axis in AXES:
        series.horizon(axis, plan)
        if series.switch:
            series.x_of(axis, series.switch)
    assert series.working_s >= 0 or series.working_s != series.working_s
    aggregate.figures(series)
    alerts.alerts(facts.snapshots[name], series)
    for line in facts.log(name).lines:
        assert line.text.isprintable() or "\t" in line.text
    facts.note(name)
