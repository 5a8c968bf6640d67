"""events.jsonl: whole lines, rising numbers over all attempts, dead attempts hidden."""

from __future__ import annotations

import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_engine import events
from moore_engine.events import EventWriter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def writer(path, attempt=1, check=lambda: None, **position):
    at = {"stage": "offline", "epoch": 1, "update": 0, "env_step": 0, **position}
    return EventWriter(path, attempt, lambda: at, check)


def warn(log, text="x"):
    log.emit("warn", what=text)


def test_an_event_is_one_line_with_its_head_position_and_fields(path):
    writer(path, attempt=3, update=7).emit("loss", q=0.5, actor=1.0, temperature=0.1, entropy=2.0, q_mean=3.0)
    (line,) = path.read_text().splitlines()
    event = json.loads(line)
    assert event.pop("t") > 1_600_000_000
    assert event == {
        "v": 1, "seq": 1, "att": 3, "stage": "offline", "epoch": 1, "update": 7, "env_step": 0, "k": "loss",
        "q": 0.5, "actor": 1.0, "temperature": 0.1, "entropy": 2.0, "q_mean": 3.0,
    }  # fmt: skip


@pytest.mark.parametrize("kind", events.KINDS)
def test_every_kind_needs_all_of_its_fields_and_may_have_more(path, kind):
    log = writer(path)
    fields = dict.fromkeys(events.KINDS[kind], 0)
    log.emit(kind, **fields, extra=1)
    for name in fields:
        with pytest.raises(ValueError, match=f"event '{kind}' lacks {name}"):
            log.emit(kind, **{other: 0 for other in fields if other != name})
    assert [event["k"] for event in events.read(path)] == [kind]


def test_an_unknown_kind_is_an_error(path):
    with pytest.raises(KeyError):
        writer(path).emit("nonsense")


def test_nan_and_infinities_travel_as_strings_that_float_reads_back(path):
    log = writer(path)
    log.emit("rue", value=math.nan, u_before=math.inf, u_after=-math.inf, eta=[{"x": (math.nan, 1.0)}])
    (event,) = events.read(path)
    assert math.isnan(float(event["value"]))
    assert (float(event["u_before"]), float(event["u_after"])) == (math.inf, -math.inf)
    assert event["eta"] == [{"x": ["nan", 1.0]}]
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in the file"))


def test_a_later_attempt_continues_the_numbers(path):
    warn(writer(path, 1))
    log = writer(path, 2)
    warn(log)
    assert [(event["seq"], event["att"]) for event in events.read(path)] == [(1, 1), (2, 2)]
    assert log.seq == 2


def test_a_torn_last_line_is_cut_off_by_the_next_attempt(path):
    log = writer(path)
    warn(log)
    warn(log)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    warn(writer(path, 2))
    assert [event["seq"] for event in events.read(path)] == [1, 2]
    assert all(events.parse(line) for line in path.read_bytes().splitlines())


def test_a_file_of_nothing_but_a_torn_line_becomes_empty(path):
    path.write_bytes(b'{"v":1,"se')
    assert writer(path).seq == 0
    assert path.read_bytes() == b""


def test_a_torn_line_longer_than_a_block_is_cut_off(path):
    warn(writer(path))
    whole = path.read_bytes()
    path.write_bytes(whole + b"x" * 200_000)
    assert writer(path).seq == 1
    assert path.read_bytes() == whole


def test_numbering_survives_a_bad_last_line(path):
    warn(writer(path))
    with open(path, "ab") as file:
        file.write(b"nonsense\n")
    assert writer(path).seq == 1


def test_a_superseded_attempt_writes_nothing(path):
    def refuse():
        raise RuntimeError("superseded")

    log = writer(path, check=refuse)
    with pytest.raises(RuntimeError, match="superseded"):
        warn(log)
    assert path.read_bytes() == b""
    assert log.seq == 0


def test_each_event_is_there_as_soon_as_it_is_emitted(path):
    log = writer(path)
    for number in range(1, 4):
        warn(log)
        assert len(path.read_bytes().splitlines()) == number


def test_reading_skips_bad_lines_and_a_torn_one(path):
    path.write_bytes(b'{"k":"a","seq":1}\nnope\n[]\n{"seq":2}\n{"k":"b"}\n{"k":"c","seq":3}\n{"k":"d","seq":4}')
    assert [event["k"] for event in events.read(path)] == ["a", "c"]


def run_event(seq, resumed):
    return {"k": "run", "seq": seq, "resumed_seq": resumed}


def test_events_after_the_checkpoint_are_hidden_by_the_resume():
    history = [{"k": "loss", "seq": 1}, {"k": "loss", "seq": 2}, run_event(3, 1), {"k": "loss", "seq": 4}]
    assert [event["seq"] for event in events.visible(history)] == [1, 3, 4]


def test_a_first_start_hides_nothing():
    history = [run_event(1, None), {"k": "loss", "seq": 2}]
    assert events.visible(history) == history


@given(st.lists(st.integers(min_value=0, max_value=9), max_size=40))
def test_an_event_is_visible_just_if_no_later_start_precedes_it(script):
    history = [
        run_event(seq, max(0, seq - back)) if back else {"k": "loss", "seq": seq} for seq, back in enumerate(script, 1)
    ]
    expected = [
        event["seq"]
        for place, event in enumerate(history)
        if all(later["resumed_seq"] >= event["seq"] for later in history[place + 1 :] if later["k"] == "run")
    ]
    assert [event["seq"] for event in events.visible(history)] == expected


def test_the_kinds_and_fields_of_version_1_are_kept():
    assert events.VERSION == 1
    for kind, fields in VERSION_1.items():
        assert set(fields.split()) <= set(events.KINDS[kind]), kind


VERSION_1 = {
    "run": "algo task dataset sha256 seed config_sha256 resumed_seq versions cpu",
    "stage": "from to",
    "eval": "score return_mean return_std returns length_mean",
    "share": "p_off p_off_sampled priority_off n_off n_on shift",
    "unc": "mean p20 p80 reward_raw reward_penalised",
    "rue": "value u_before u_after eta",
    "model": "holdout elites epochs updates capped ess",
    "loss": "q actor temperature entropy q_mean",
    "perf": "env_steps_per_s updates_per_s phases rss_mb eta_s",
    "ckpt": "path bytes seconds",
    "ack": "id verb ok why",
    "warn": "what",
    "end": "state exit",
}


def test_a_line_that_the_disk_took_half_of_is_taken_back_and_can_be_written_again(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path, 1, dict, lambda: None)
    writer.emit("warn", what="before")
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[: len(data) // 2]))
    with pytest.raises(OSError, match="No space"):
        writer.emit("warn", what="again")
    monkeypatch.setattr(os, "write", real)
    writer.emit("warn", what="again")
    assert [(event["seq"], event["what"]) for event in events.read(path)] == [(1, "before"), (2, "again")]
    assert path.read_bytes().count(b"\n") == 2
