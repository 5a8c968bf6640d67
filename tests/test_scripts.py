"""scripts/plot-run and scripts/results on hand-made runs."""

from __future__ import annotations

import importlib.util
import json
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from moore_engine.rundir import RunDir
from tests.tui.made_runs import make_run, write_events

ROOT = Path(__file__).resolve().parents[1]


def script(name: str) -> ModuleType:
    """A script as a module."""
    loader = SourceFileLoader(name.replace("-", "_"), str(ROOT / "scripts" / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


def told_run(folder: Path, seed: int, **sections: dict[str, Any]) -> RunDir:
    """A finished run of two offline and three online epochs of 100 updates, better by 10 with each."""
    run = make_run(folder, f"p{seed}{''.join(sections)}", run={"seed": seed, "name": f"p{seed}"}, **sections)
    events: list[dict[str, Any]] = []

    def say(kind: str, stage: str, epoch: int, update: int, **fields: Any) -> None:
        at = {"stage": stage, "epoch": epoch, "update": update, "env_step": max(0, update - 200)}
        events.append({"v": 1, "seq": len(events) + 1, "att": 1, "t": 2.0 * len(events), **at, "k": kind, **fields})

    def evaluation(stage: str, epoch: int, update: int, mean: float, **fields: Any) -> None:
        returns = [mean - 2.0, mean, mean + 2.0]
        say("eval", stage, epoch, update, score=None, return_mean=mean, returns=returns, **fields)

    say("run", "offline", 1, 0, resumed_seq=0, seed=seed, task="T-v0", algo="moore", dataset="/d/t.hdf5", sha256="ab",
        cpu="c", versions={"torch": "9"}, data_return_mean=15.0, rows=1000)  # fmt: skip
    for epoch in (1, 2):
        say("unc", "offline", epoch, 100 * epoch - 100, mean=1.0, p20=0.5, p80=2.0)
        evaluation("offline", epoch, 100 * epoch, 10.0 * epoch + seed)
    for number in range(1, 4):
        evaluation("offline", 2, 200, 18.0 + number + seed, baseline=number)
    say("stage", "online", 1, 200, **{"from": "offline", "to": "online"})
    for epoch in (1, 2, 3):
        share = 1 / (1 + epoch)
        say("share", "online", epoch, 100 + 100 * epoch, p_off=share, p_off_sampled=share)
        say("unc", "online", epoch, 100 + 100 * epoch, mean=1.0 / epoch, p20=0.5 / epoch, p80=2.0 / epoch)
        evaluation("online", epoch, 200 + 100 * epoch, 20.0 + 10.0 * epoch + seed)
    say("end", "online", 3, 500, state="done", exit=0)
    write_events(run, *events)
    return run


def test_every_panel_has_the_mark_of_the_switch_at_the_same_update(tmp_path: Path) -> None:
    plot = script("plot-run")
    figure = plot.figure({"": [plot.read(told_run(tmp_path, 0))]})
    assert len(figure.axes) == 3
    for axes in figure.axes:
        marks = [line.get_xdata()[0] for line in axes.lines if line.get_gid() == "switch"]
        assert marks == [200]


def test_the_curves_are_the_evaluations_without_those_of_the_frozen_policy(tmp_path: Path) -> None:
    plot = script("plot-run")
    runs = [plot.read(told_run(tmp_path, seed)) for seed in (0, 4)]
    lines = {line.get_label(): line for line in plot.figure({"": runs[:1]}).axes[0].lines}
    assert list(lines["offline"].get_xdata()) == [100, 200]
    assert list(lines["offline"].get_ydata()) == [10.0, 20.0]
    assert list(lines["online"].get_xdata()) == [200, 300, 400, 500]
    assert list(lines["online"].get_ydata()) == [20.0, 30.0, 40.0, 50.0]
    assert list(lines["data set's mean"].get_ydata()) == [15.0, 15.0]
    mean = {line.get_label(): line for line in plot.figure({"": runs}).axes[0].lines}
    assert list(mean["online, mean of 2 seeds"].get_ydata()) == [22.0, 32.0, 42.0, 52.0]


def test_groups_differ_by_colour_and_by_dash(tmp_path: Path) -> None:
    plot = script("plot-run")
    runs = [plot.read(told_run(tmp_path, seed)) for seed in (0, 1)]
    lines = {line.get_label(): line for line in plot.figure({"a": runs[:1], "b": runs[1:]}).axes[0].lines}
    assert lines["a"].get_color() != lines["b"].get_color()
    assert lines["a"].get_linestyle() != lines["b"].get_linestyle()


def test_the_picture_is_written_and_a_run_without_evaluations_refused(tmp_path: Path) -> None:
    plot, picture = script("plot-run"), tmp_path / "picture.png"
    assert plot.main([str(told_run(tmp_path, 0).path), "-o", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        plot.main([str(make_run(tmp_path, "new").path), "-o", str(picture)])


def test_the_table_has_every_figure_and_its_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(told_run(tmp_path, seed).path) for seed in (0, 4)]
    assert script("results").main(paths) == 0
    text = capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    p0, p4, mean = cells[2:]
    # nine frozen episodes of variance 30 / 8: 0.6; three final ones of 4: 2 / sqrt(3) = 1.2
    assert p0[:6] == ["p0", "0", "15.0", "20.0 +- 1.2", "20.0 +- 0.6", "50.0 +- 1.2"]
    assert p0[6] == f"{30 / (30 / 8 / 9 + 4 / 3) ** 0.5:+.1f}"
    assert (p4[4], mean[:2], mean[5]) == ("24.0 +- 0.6", ["mean of 2", ""], "52.0 +- 2.0")
    assert "- p0: offline >= data mean: yes (20.0 against 15.0)" in text
    assert "- p4: final > offline by more than 2 standard errors: yes" in text


def test_settings_that_differ_make_tables_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [told_run(tmp_path, 0), told_run(tmp_path, 0, online={"sampler": "uniform"})]
    script("results").main([str(run.path) for run in runs])
    text = capsys.readouterr().out
    assert "### online.sampler=priority" in text and "### online.sampler=uniform" in text
    assert text.count("One seed is an anecdote") == 2


def test_results_as_json_are_one_object_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script("results").main([str(told_run(tmp_path, 3).path), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["run"], found["seed"], found["final"]["value"]) == ("p3", 3, 53.0)
