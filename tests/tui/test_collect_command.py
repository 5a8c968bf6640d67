"""`data collect`: from the words of a command to a configuration, and to a run that is followed to its set."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import typer

from moore_engine import config
from moore_engine.collect.collection import Collection
from moore_engine.collect.deliver import deliver
from moore_tui.headless import start
from moore_tui.headless.commands import app
from moore_tui.headless.summary import collected
from moore_tui.runs import launch
from moore_tui.runs.launch import Wish
from tests.engine.collecting import Desk, finish

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/data/quickstart.md"
BUNDLED = ROOT / "moore_engine/data/quickstart.hdf5"


def asked(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> tuple[Wish, dict[str, Any]]:
    """The wish that the command makes of its words, and how it asks to be followed."""
    caught: list[Any] = []
    monkeypatch.setattr(
        start, "run", lambda wish, runs_dir, **how: caught.append((wish, {"runs_dir": runs_dir, **how}))
    )
    typer.main.get_command(app).main(words, standalone_mode=False)
    return caught[0]


def settings(monkeypatch: pytest.MonkeyPatch, text: str) -> config.Config:
    monkeypatch.chdir(ROOT)
    return launch.resolve(asked(monkeypatch, ["data", "collect", *shlex.split(text)])[0]).config


def test_only_the_task_and_the_kind_have_to_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settings(monkeypatch, "--task Hopper-v5 --kind expert")
    assert (made.run.algo, made.data.task, made.collect.kind) == ("collect", "Hopper-v5", "expert")
    assert (made.collect.steps, made.collect.train_steps, made.collect.random_steps) == (1_000_000, 1_000_000, 1000)
    assert (made.sac.hidden, made.sac.batch, made.sac.target_entropy) == ((256, 256), 256, "auto")
    assert (made.online.steps_per_epoch, made.online.updates_per_step, made.offline.epochs) == (1000, 1, 0)
    config.check_launchable(made)


def test_every_option_lands_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settings(
        monkeypatch,
        "--task T-v0 --kind medium --steps 7 --seed 3 --target-return -2.5 --train-steps 9 --random-steps 0 "
        "--ref-min -3 --ref-max 4 -o f.hdf5 --id a/b-v0 --author A --code-permalink U --name n --set sac.hidden=[8]",
    )
    collect = made.collect
    assert (collect.steps, collect.target_return, collect.train_steps, collect.random_steps) == (7, -2.5, 9, 0)
    assert (collect.output, collect.id, collect.author, collect.code_permalink) == ("f.hdf5", "a/b-v0", "A", "U")
    assert (made.data.ref_min, made.data.ref_max, made.run.seed, made.run.name) == (-3.0, 4.0, 3, "n")
    assert made.sac.hidden == (8,)


@pytest.mark.parametrize(("text", "value"), [("none", "none"), ("auto", "auto"), ("1e3", 1000.0)])
def test_a_target_is_a_number_or_a_word(monkeypatch: pytest.MonkeyPatch, text: str, value: object) -> None:
    assert settings(monkeypatch, f"--task T-v0 --kind expert --target-return {text}").collect.target_return == value


def test_a_data_set_of_the_project_file_is_not_the_collections(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "moore.toml").write_text('[data]\npath = "bundled:quickstart"')
    wish, _ = asked(monkeypatch, ["data", "collect", "--task", "Hopper-v5", "--kind", "random"])
    monkeypatch.chdir(tmp_path)
    assert launch.resolve(wish).config.data.path == ""


def test_a_run_without_a_name_is_called_by_task_and_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    wish, how = asked(monkeypatch, ["data", "collect", "--task", "Hopper-v5", "--kind", "medium-replay", "--detach"])
    assert launch.stem(wish) == "hopper-medium-replay"
    assert (how["detach"], how["watch"], how["as_json"]) == (True, False, False)


def test_what_was_made_is_the_last_that_was_told_of_it() -> None:
    head = {"v": 1, "seq": 1, "att": 1, "t": 0.0, "stage": "online", "epoch": 1, "update": 0, "env_step": 1}
    told = [{**head, "k": "data", "rows": 1}, {**head, "k": "data", "rows": 2, "path": "p"}, {**head, "k": "end"}]
    assert collected(told) == {"rows": 2, "path": "p"}
    assert collected([{**head, "k": "eval"}]) == {}


def test_the_command_on_the_bundled_sets_page_makes_its_uniform_rows_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those do not depend on how a CPU rounds SAC's updates."""
    command = re.search(r"moore-console data collect (.*?)\n\n", PAGE.read_text(), re.DOTALL)
    assert command
    made = settings(monkeypatch, command[1].replace("\\\n", " "))
    made = config.set_value(config.set_value(made, "collect.steps", 300), "collect.output", str(tmp_path / "a.hdf5"))
    torch.set_num_threads(int(made.run.threads))
    run = Collection(made)
    finish(run, Desk(made))
    with h5py.File(BUNDLED) as bundled, h5py.File(deliver(run, tmp_path, lambda: None)["path"]) as again:
        for name in ("observations", "actions", "rewards", "terminals", "infos/qpos"):
            np.testing.assert_allclose(again[name][()], bundled[name][:300], rtol=1e-6, atol=1e-7)
        for name in ("ref_min", "ref_max", "task", "kind", "seed", "algorithm"):
            assert again.attrs[name] == bundled.attrs[name]


def test_the_command_makes_a_set_and_says_what_it_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from moore_tui.cli import call

    monkeypatch.chdir(tmp_path)
    words = "data collect --task InvertedPendulum-v5 --kind random --steps 60 --json --runs-dir runs -o set.hdf5"
    assert call(words.split()) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert lines[0]["k"] == "run" and lines[0]["collects"] == "random"
    assert lines[-1]["k"] == "summary" and lines[-1]["exit"] == 0
    assert lines[-1]["rows"] >= 60 and lines[-1]["path"] == str(tmp_path / "set.hdf5")
    assert (tmp_path / "set.hdf5").is_file()
