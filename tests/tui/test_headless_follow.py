"""`run`, `resume` and `wait` against a trainer that only counts: exit codes, signals, what goes where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from moore_engine import control as requests
from moore_engine.rundir import read_json, write_json
from moore_tui.headless import follow
from moore_tui.runs.model import snapshot
from tests.tui.console_process import Console, Terminal, wait_for
from tests.tui.made_runs import event, make_run, write_events

RUN = ("run", "quickstart", "--name", "one", "--set", "offline.epochs=10")


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path)
    yield made
    made.close()


def wait_here(console: Console) -> None:
    """Every run from now on stops at update 12 until the file `go` is in its directory."""
    console.tell(script=[{"update": 12, "do": "wait", "value": "go"}])


def test_a_run_followed_to_its_end_exits_0_and_prints_its_summary(console: Console) -> None:
    done = console(*RUN)
    assert done.returncode == 0, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["offline", "score"], ["final", "score"], ["net", "dip"], ["directory", str(console.runs / "one")],
    ]  # fmt: skip
    assert done.stdout.splitlines()[1].split() == ["final", "score", "20.0"]


def test_a_piped_run_narrates_one_plain_line_an_evaluation(console: Console) -> None:
    done = console(*RUN)
    lines = [line for line in done.stderr.splitlines() if line.startswith("offline epoch")]
    assert len(lines) == 2 and "return 100.0 +- 0.0, score 10.0" in lines[0]
    assert "\x1b" not in done.stdout + done.stderr and "\r" not in done.stdout + done.stderr


def test_a_piped_run_that_makes_no_updates_yet_tells_once_a_minute_what_it_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path)
    idle = [event(seq, "perf", updates_per_s=0.0, doing=f"fitting, epoch {seq}") for seq in range(1, 9)]
    busy = [event(seq, "perf", updates_per_s=3.0, doing="updating") for seq in range(9, 17)]
    view = follow._View(run, follow.Signals(), False)
    write_events(run, *({**each, "t": 1000.0 + 20 * each["seq"]} for each in idle + busy))
    view._read(snapshot(run))
    assert len(view.log.events) == 16
    assert capsys.readouterr().err == "offline epoch 1: fitting, epoch 4\noffline epoch 1: fitting, epoch 7\n"


def test_a_run_as_json_is_its_events_and_a_summary_one_object_a_line(console: Console) -> None:
    done = console(*RUN, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["seq"] for event in events[:-1]] == list(range(1, len(events)))
    assert events[-1]["k"] == "summary" and events[-1]["final"] == 20.0 and events[-1]["exit"] == 0


def test_the_frozen_config_says_where_each_value_came_from(console: Console) -> None:
    console(*RUN, "--seed", "7", "--set", "run.threads=auto", "--detach")
    lines = (console.runs / "one" / "config.toml").read_text().splitlines()
    assert "seed = 7  # --seed" in lines and 'name = "one"  # --name' in lines
    assert "threads = 1  # --set, filled in at creation" in lines


def test_detached_the_name_is_printed_and_wait_exits_as_the_run(console: Console) -> None:
    done = console("run", "quickstart", "--detach")
    assert (done.returncode, done.stdout) == (0, "quickstart-s0\n")
    assert console("wait", "quickstart-s0", "--timeout", "60").returncode == 0
    assert console("run", "quickstart", "--detach").stdout == "quickstart-s0-2\n"


def test_ctrl_c_stops_with_a_checkpoint_and_exits_130(console: Console) -> None:
    wait_here(console)
    terminal = Terminal(console, *RUN)
    console.until("one", "live")
    wait_for(lambda: console.snapshot("one").update == 12, "update 12")
    terminal.read_until("offline 2/")
    terminal.press("\x03")
    assert terminal.leave() == 130
    shot = console.snapshot("one")
    assert (shot.state, shot.checkpoint) == ("interrupted", "ckpt-12")
    assert "stopping one, checkpoint ..." in terminal.seen and "resume one goes on" in terminal.seen


def test_a_second_ctrl_c_kills_a_trainer_that_does_not_listen(console: Console) -> None:
    console.tell(script=[{"update": 12, "do": "mute", "value": "never"}])
    terminal = Terminal(console, *RUN)
    console.until("one", "live")
    wait_for(lambda: console.snapshot("one").update == 12, "update 12")
    terminal.press("\x03")
    terminal.read_until("stopping one")
    terminal.press("\x03")
    assert terminal.leave() == 130
    shot = console.snapshot("one")
    assert (shot.state, shot.checkpoint) == ("interrupted", "ckpt-10") and "killed" in shot.detail


def test_sigterm_stops_with_a_checkpoint_and_exits_75(console: Console) -> None:
    wait_here(console)
    process = console.start(*RUN, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    console.until("one", "live")
    wait_for(lambda: console.snapshot("one").update == 12, "update 12")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 75
    assert console.snapshot("one").checkpoint == "ckpt-12"


def test_a_terminal_that_closes_ends_the_view_and_not_the_run(console: Console) -> None:
    wait_here(console)
    terminal = Terminal(console, *RUN)
    console.until("one", "live")
    terminal.hang_up()
    assert terminal.process.wait(timeout=60) == 0
    shot = console.snapshot("one")
    assert shot.state == "live" and not shot.pending
    (console.runs / "one" / "go").touch()
    assert console("wait", "one", "--timeout", "60").returncode == 0


def test_a_reader_of_events_that_leaves_does_not_end_the_run(console: Console) -> None:
    wait_here(console)
    process = console.start(*RUN, "--json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["k"] == "run"
    process.stdout.close()
    (console.runs / "one" / "go").touch()
    process.wait(timeout=60)
    assert console("wait", "one", "--timeout", "60").returncode == 0


def test_a_terminal_shows_one_line_that_is_rewritten(console: Console) -> None:
    wait_here(console)
    terminal = Terminal(console, *RUN)
    shown = terminal.read_until("\roffline 2/10  [").replace("\r\n", "\n")
    assert "offline epoch" not in shown
    (console.runs / "one" / "go").touch()
    assert terminal.leave() == 0
    assert "\x1b" not in terminal.seen


def test_a_stopped_run_is_resumed_to_its_end(console: Console) -> None:
    wait_here(console)
    console(*RUN, "--detach")
    wait_for(lambda: console.snapshot("one").update == 12, "update 12")
    assert console("stop", "one", "--wait").returncode == 0
    assert console.snapshot("one").state == "interrupted"
    assert console("wait", "one").returncode == 75
    (console.runs / "one" / "go").touch()
    done = console("resume", "one")
    assert done.returncode == 0 and "final score" in done.stdout
    again = console("resume", "one")
    assert again.returncode == 0 and "run one is done" in again.stderr and again.stdout == ""


def test_pause_and_resume_are_answered_by_the_trainer(console: Console) -> None:
    wait_here(console)
    console(*RUN, "--detach")
    paused = console("pause", "one", "--wait")
    assert paused.returncode == 0 and paused.stdout.startswith("one paused at offline epoch")
    assert console("status", "one", "--json").stdout and console.snapshot("one").state == "paused"
    resumed = console("resume", "one", "--wait", "--json")
    assert json.loads(resumed.stdout)["ok"] is True and console.snapshot("one").state == "live"


def test_checkpoint_and_set_print_what_the_trainer_answers(console: Console) -> None:
    wait_here(console)
    console(*RUN, "--detach")
    wait_for(lambda: console.snapshot("one").update == 12, "update 12")
    assert "one saved a checkpoint ckpt-12 at offline epoch 2" in console("checkpoint", "one", "--wait").stdout
    assert "one changed online.alpha to 0.5" in console("set", "one", "online.alpha=0.5", "--wait").stdout
    refused = console("set", "one", "eval.episodes=3", "--wait")
    assert refused.returncode == 1 and "refused set: cannot set eval.episodes" in refused.stderr
    unknown = console("set", "one", "online.alpa=1")
    assert unknown.returncode == 2 and "online.alpha" in unknown.stderr


def test_a_running_run_cannot_be_started_again(console: Console) -> None:
    wait_here(console)
    console(*RUN, "--detach")
    console.until("one", "live")
    for words in (RUN, ("resume", "one"), ("resume", "one", "--set", "online.alpha=1")):
        refused = console(*words)
        assert refused.returncode == 4, refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert console("wait", "one", "--timeout", "0").returncode == 4


def test_a_failing_run_exits_1_with_the_end_of_its_log(console: Console) -> None:
    console.tell(script=[{"update": 3, "do": "exit", "value": 9}])
    done = console(*RUN)
    assert done.returncode == 1
    assert "one is restarting" in done.stderr and "run one is crashed: exit 9" in done.stderr
    assert "  leaving because the script says so" in done.stderr
    assert console("wait", "one").returncode == 1


def test_a_run_that_refuses_its_config_exits_2(console: Console) -> None:
    console.tell(script=[{"update": 3, "do": "exit", "value": 2}])
    assert console(*RUN).returncode == 2


def test_a_killed_run_is_resumable(console: Console) -> None:
    wait_here(console)
    console(*RUN, "--detach")
    wait_for(lambda: console.snapshot("one").update == 12, "update 12")
    killed = console("kill", "one", "--json")
    assert killed.returncode == 0 and json.loads(killed.stdout)["killed"] is True
    assert console("wait", "one").returncode == 75
    assert console("pause", "one").returncode == 5
    (console.runs / "one" / "go").touch()
    assert console("resume", "one").returncode == 0


def test_what_a_trainer_refuses_to_check_leaves_nothing_behind(console: Console) -> None:
    console.env["MOORE_FAKE_PREPARE"] = "refuse"
    done = console(*RUN)
    assert done.returncode == 2 and done.stderr.splitlines()[-1] == "moore-console: the data set is made of cheese"
    assert not console.runs.exists()


def test_ctrl_c_during_the_check_leaves_nothing_behind(console: Console) -> None:
    console.env["MOORE_FAKE_PREPARE"] = str(console.folder / "never")
    terminal = Terminal(console, *RUN)
    terminal.read_until("checking data")
    terminal.press("\x03")
    assert terminal.leave() == 130
    assert "nothing is left of it" in terminal.seen and not console.runs.exists()


def test_sigterm_during_the_check_leaves_nothing_behind(console: Console) -> None:
    console.env["MOORE_FAKE_PREPARE"] = str(console.folder / "never")
    process = console.start(*RUN, stderr=subprocess.PIPE)
    assert process.stderr is not None
    while "checking data" not in process.stderr.readline():
        pass
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 75 and not console.runs.exists()


def test_a_trainer_that_cannot_be_started_leaves_nothing_behind(console: Console) -> None:
    console.env["MOORE_TRAINER"] = str(console.folder / "no-such-program")
    done = console(*RUN)
    assert done.returncode == 1 and "cannot start the trainer" in done.stderr
    assert list(console.runs.iterdir()) == []


def test_a_run_gone_without_a_word_is_lost_contact(console: Console) -> None:
    wait_here(console)
    console(*RUN, "--detach")
    console.until("one", "live")
    run = console.run_dir("one")
    keeper, trainer = read_json(run.keeper) or {}, read_json(run.state) or {}
    for pid in (keeper["identity"]["pid"], trainer["identity"]["pid"]):
        os.kill(pid, signal.SIGKILL)
    console.until("one", "interrupted")
    assert console("wait", "one").returncode == 5


def test_a_silent_run_of_another_host_is_lost_contact(console: Console) -> None:
    console(*RUN)
    run = console.run_dir("one")
    state, keeper = read_json(run.state) or {}, read_json(run.keeper) or {}
    for each in (state, keeper, keeper["attempts"][-1]):
        each["identity"]["host"] = "elsewhere"
    keeper["status"], keeper["attempts"][-1]["ended"], state["status"] = "running", None, "training"
    write_json(run.state, state)
    write_json(run.keeper, keeper)
    for beat in run.beat.iterdir():
        os.utime(beat, (0, 0))
    for words in (("wait", "one"), ("pause", "one"), ("resume", "one"), ("kill", "one")):
        assert console(*words).returncode == 5, words
    assert requests.pending(run) == []


def test_an_extension_must_be_longer_than_the_run_that_is_done(console: Console) -> None:
    console(*RUN)
    for setting in ("online.epochs=5", "online.alpha=1"):
        refused = console("resume", "one", "--set", setting)
        assert refused.returncode == 2 and "online.epochs=N" in refused.stderr
    console("resume", "one", "--set", "online.epochs=12", "--detach")
    assert [(each.verb, each.args) for each in requests.pending(console.run_dir("one"))] == [
        ("set", {"key": "online.epochs", "value": "12"})
    ]


def test_a_moved_data_set_is_written_into_the_frozen_config(console: Console) -> None:
    console(*RUN)
    config = console.runs / "one" / "config.toml"
    before = config.read_text().splitlines()
    assert console("resume", "one", "--data", "elsewhere.hdf5").returncode == 0
    changed = [line for line in config.read_text().splitlines() if line not in before]
    assert changed == ['path = "elsewhere.hdf5"  # resume --data']


def test_a_run_branches_off_another_by_its_name(console: Console) -> None:
    console(*RUN)
    branch = console("run", "quickstart", "--from", "one@ckpt-10", "--name", "two", "--detach")
    assert branch.returncode == 0, branch.stderr
    assert f'from = "{console.runs / "one"}@ckpt-10"  # --from' in (console.runs / "two" / "config.toml").read_text()
    assert console("run", "quickstart", "--from", "won@switch").returncode == 3


def test_names_to_trust_reach_the_trainer_of_this_start_only(console: Console) -> None:
    (console.folder / "trainer.py").write_text("import os; print('trusts', os.environ.get('MOORE_TRUST_CODE'))")
    console.env["MOORE_TRUST_CODE"] = "stale"
    console(*RUN, "--trust-code", "a", "--trust-code", "b")
    assert "trusts a,b" in console("logs", "one").stdout
    console("resume", "one")
    assert "trusts None" in console("logs", "one").stdout


def test_alone_on_a_dumb_terminal_it_prints_the_table(console: Console) -> None:
    console.env["TERM"] = "dumb"
    console(*RUN)
    terminal = Terminal(console)
    assert terminal.leave() == 0
    assert "NAME" in terminal.seen and "\x1b" not in terminal.seen and "--help lists the commands" in terminal.seen


def test_colour_marks_the_state_on_a_terminal_and_obeys_no_color(console: Console) -> None:
    console.tell(script=[{"update": 3, "do": "exit", "value": 2}])
    console(*RUN)
    seen = []
    for _ in range(2):
        terminal = Terminal(console, "status", "one")
        assert terminal.leave() == 0
        seen.append(terminal.seen)
        console.env["NO_COLOR"] = "1"
    assert "\x1b[31mcrashed\x1b[0m" in seen[0] and "crashed" in seen[1] and "\x1b" not in seen[1]
