"""What the panes make of a run's events, without a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moore_tui.runs import lineage
from moore_tui.runs.model import Snapshot
from moore_tui.runs.series import RunSeries
from moore_tui.runs.tail import Batch
from moore_tui.screens.watch import WatchScreen, differences
from moore_tui.widgets import details_pane
from moore_tui.widgets.chart_pane import ChartPane
from moore_tui.widgets.chart_view import ChartView
from moore_tui.widgets.loss_pane import LossPane
from moore_tui.widgets.mass_pane import MassPane, next_shift, share_line
from moore_tui.widgets.model_pane import ModelPane
from moore_tui.widgets.pane import Marked, RunView
from moore_tui.widgets.return_pane import ReturnPane
from moore_tui.widgets.sheet import Line
from moore_tui.widgets.speed_pane import SpeedPane, phases
from moore_tui.widgets.uncertainty_pane import UncertaintyPane
from tests.tui.made_runs import make_run
from tests.tui.rich_runs import at, events
from tests.tui.widgets.test_curves import PLAN


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def view(epochs: int = 12, *more: dict[str, Any], **fields: Any) -> RunView:
    series = RunSeries()
    found = events(epochs, 1.0, 0.0)
    series.apply(
        Batch([*found, *({**each, "seq": len(found) + n} for n, each in enumerate(more, 1))], False, None, False)
    )
    shot = Snapshot("run", Path("run"), "live", "", kept=True, update=12_000, env_step=400, stage="online", epoch=5)
    known = {"snapshot": shot, "chart": ChartView(), "plan": PLAN, "series": series, "settings": {}}
    return RunView(**{**known, **fields})


def test_every_pane_has_a_number_of_its_own_and_a_word_for_the_help() -> None:
    panes = WatchScreen().panes
    assert [pane.number for pane in panes] == list(range(1, 10))
    assert len({pane.id for pane in panes}) == 9
    assert all(pane.HELP for pane in panes[1:])


@pytest.mark.parametrize("epochs", [0, 1, 8, 9, 20])
def test_every_pane_sums_up_a_run_at_any_point(epochs: int) -> None:
    for pane in WatchScreen().panes[1:]:
        assert len(pane.summary(view(epochs))) < 30
        assert len(pane.summary(view(series=None))) < 30


def test_score_is_shown_where_every_run_has_one_and_else_the_return() -> None:
    pane = ReturnPane()
    assert text(pane.chart(view()).left).startswith("Score")
    unscored = at(events(12, 1.0, 0.0), "eval", score=None, return_mean=5.0, return_std=1.0, returns=[5.0])
    assert text(pane.chart(view(12, unscored)).left).startswith("Return")
    assert text(pane.chart(view(chart=ChartView(raw=True))).left).startswith("Return")
    other = Marked("other", 1, view(12, unscored).series, PLAN)
    assert text(pane.chart(view(marked=(other,))).left).startswith("Return")


def test_the_frozen_policy_is_a_level_from_the_switch_on() -> None:
    level = next(
        each for each in ReturnPane().chart(view(chart=ChartView(raw=True))).series if each.name == "frozen policy"
    )
    assert level.x.tolist() == [8000.0, 12000.0] and level.y.tolist() == [1025.0, 1025.0]


def test_until_the_switch_the_share_is_the_offline_one() -> None:
    drawn = MassPane().chart(view(boundary=8000.0)).series
    offline, online = (next(each for each in drawn if each.name == name) for name in ("offline", "online"))
    before = offline.x <= 8000.0
    assert 8000.0 in offline.x and set(offline.y[before].tolist()) == {1.0} and offline.y[~before].max() < 1.0
    assert np.array_equal(online.y, 1.0 - offline.y) and np.array_equal(online.x, offline.x)


@pytest.mark.parametrize("p_off", [0.0, 0.41, 1.0])
@pytest.mark.parametrize("width", [24, 38, 52, 100])
def test_the_share_is_a_bar_between_its_figures(p_off: float, width: int) -> None:
    line = text(share_line(p_off, width))
    assert len(line) <= width and line.startswith("off ") and "on " in line
    cells = line.count("▓") + line.count("░")
    assert line.count("▓") == round(cells * p_off)
    assert share_line(None, width) == share_line(float("nan"), width) == ()


def test_the_next_shift_is_the_schedules() -> None:
    settings = {"online.alpha": 1.0, "online.sampler": "priority"}
    last = {"n_off": 1000, "epoch": 4, "stage": "online"}
    shift = next_shift(view(settings=settings), last)
    assert shift is not None and 0.0 < shift < 0.2
    assert next_shift(view(settings=settings), {**last, "epoch": 12}) is None
    assert next_shift(view(settings={**settings, "online.sampler": "custom"}), last) is None
    assert next_shift(view(settings={**settings, "online.alpha": -1}), last) is None
    assert next_shift(view(), last) is None


@pytest.mark.parametrize("algo", ["moore", "awac", "balanced_replay", "cql", "mbpo"])
@pytest.mark.parametrize("sampler", ["priority", "uniform", "custom"])
def test_the_next_shift_of_any_run_is_told_or_not_known(tmp_path: Path, algo: str, sampler: str) -> None:
    run = make_run(tmp_path, run={"algo": algo}, online={"sampler": sampler})
    shift = next_shift(of(algo, settings=lineage.settings(run)), {"n_off": 1000, "epoch": 4, "stage": "online"})
    assert shift is None or 0.0 < shift < 0.2
    assert (shift is None) == (algo == "balanced_replay" or (algo == "moore" and sampler == "custom"))


def test_the_next_shift_is_that_of_an_alpha_that_was_changed_live() -> None:
    last = {"n_off": 1000, "epoch": 4, "stage": "online"}
    changed, given = (
        {"online.alpha": alpha, "online.sampler": "priority"} for alpha in (lineage.Changed((1.0, 9.0)), 9.0)
    )
    assert next_shift(view(settings=changed), last) == next_shift(view(settings=given), last) is not None


def test_phases_are_a_bar_and_words_the_largest_first() -> None:
    lines = [text(line) for line in phases({"fit": 0.25, "update": 0.6, "end": 0.0, "evaluate": 0.15}, 40)]
    assert lines[0] == "█" * 24 + "▓" * 10 + "▒" * 6
    assert [word for word in " ".join(lines[1:]).split() if word.isalpha()] == ["update", "fit", "evaluate"]
    assert all(len(line) <= 42 for line in lines)


@pytest.mark.parametrize("shares", [None, {}, "x", {"a": "nan"}, {"a": 0.0}])
def test_phases_that_say_nothing_are_left_out(shares: Any) -> None:
    assert phases(shares, 40) == []


def test_the_details_tell_what_became_of_the_last_request() -> None:
    done = at(events(12, 1.0, 0.0), "ack", id="1", verb="set", ok=True, why="", key="online.alpha", value="0.5")
    assert details_pane.answered(view(12, done)) == "set online.alpha 0.5 @ 12k"
    refused = {**done, "ok": False, "why": "alpha must be positive"}
    assert details_pane.answered(view(12, done, refused)) == "set online.alpha 0.5 refused: alpha must be positive"
    assert details_pane.answered(view()) == ""


def test_the_details_fit_any_width_and_name_what_differs() -> None:
    other = Marked("other", 1, None, PLAN)
    shown = view(marked=(other,), settings={"online.alpha": 0.5, "run.seed": 1}, differs={"online.alpha": 1.0})
    for width in (12, 34, 46, 158):
        lines = details_pane.lines(shown, width, 0.0)
        assert width < 30 or all(len(text(line)) <= width for line in lines)
    assert "  online.alpha  0.5  (1.0)" in [text(line) for line in details_pane.lines(shown, 46, 0.0)]


def test_differences_are_those_of_either_side() -> None:
    assert differences({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5, "d": 4}) == {"b": 5, "c": "not set", "d": 4}


def test_a_run_that_rests_tells_when_it_was_last_heard() -> None:
    shot = replace(view().snapshot, state="done", created=1.8e9, seen=1.8e9 + 3600)
    assert details_pane.started(shot, 9e9).count(":") == 2
    assert "1m ago" in details_pane.started(replace(shot, state="live"), 1.8e9 + 60)


WIDTHS = (26, 30, 38, 40, 54, 78, 110)
"""Of the panes' insides on terminals of 56 to 160 columns."""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pane", [MassPane, UncertaintyPane, LossPane, ModelPane])
def test_figures_that_do_not_fit_are_left_out_whole(
    pane: type[ChartPane], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = at(events(20, 1.0, 0.0), "rue", value=0.1234, u_before=1.0, u_after=0.9, eta=0.8)
    monkeypatch.setattr(pane, "inner_width", width)
    narrow = [text(line) for line in pane().chart(view(20, found)).info]
    monkeypatch.setattr(pane, "inner_width", 200)
    whole = [text(line) for line in pane().chart(view(20, found)).info]
    assert narrow and all(0 < len(line) <= width for line in narrow)
    figures = set(" ".join(whole).split())
    for word in " ".join(narrow).split():
        assert word in figures or word in ("RUE", "ESS", "π", "α", "H") or set(word) <= set("▓░") or word == "480"


def test_the_half_life_goes_before_the_band(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UncertaintyPane, "inner_width", 30)
    assert text(UncertaintyPane().chart(view(20)).info[0]) == "now 0.136  half-life 3.47k"


@pytest.mark.parametrize("width", [30, 60])
def test_throughput_leaves_out_whole_figures_too(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpeedPane, "inner_width", width)
    pane, shown = SpeedPane(), doing(view(20), "fitting the models, epoch 4, best holdout MSE 0.1")
    last = {"env_steps_per_s": 1.7, "updates_per_s": 16.7, "rss_mb": 372}
    rates = "env 1.70 st/s  updates 16.7/s"
    assert text(pane._rates(shown, last)) == (rates if width == 30 else f"{rates}  now fitting the models")
    assert text(pane._machine(shown, last)) == "cpu –  memory 372 MB  gpu –"


def doing(shown: RunView, what: str, **changes: Any) -> RunView:
    return replace(shown, snapshot=replace(shown.snapshot, doing=what, **changes))


def test_a_run_without_an_evaluation_or_a_fit_tells_what_it_is_doing() -> None:
    fit = "fitting the models, epoch 4\x1b"
    shown, said = doing(view(0), fit, update=0), "fitting the models, epoch 4 "
    for pane, empty in ((ReturnPane(), "no evaluation yet"), (ModelPane(), "no fit yet")):
        assert (pane.chart(shown).empty, pane.chart(view(0)).empty) == (f"{empty}: {said}", empty)
        assert pane.key(shown) != pane.key(doing(shown, "fitting the models, epoch 5"))
        updating = doing(shown, fit, update=1)
        assert pane.chart(updating).empty == empty
        assert pane.key(updating) == pane.key(doing(updating, "evaluating"))
    assert ("doing", said, "") in details_pane.facts(shown, 0.0)
    assert "doing" not in [name for name, _, _ in details_pane.facts(view(0), 0.0)]


def test_before_any_online_draw_the_bar_says_that_it_is_the_offline_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = view(5)
    shown = replace(shown, snapshot=replace(shown.snapshot, stage="offline"))
    for width, begin in ((30, "offline stage: all draws off"), (26, "off 100% ▓")):
        monkeypatch.setattr(MassPane, "inner_width", width)
        assert text(MassPane().chart(shown).info[0]).startswith(begin)
    assert text(MassPane().chart(view(12)).info[0]).startswith("off ")


@pytest.mark.parametrize("sampler", ["priority", "uniform", "half_half", "online_only", "custom"])
def test_f_is_told_of_a_sampler_with_priorities_and_of_others_the_name(
    sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MassPane, "inner_width", 78)
    drawn = MassPane().chart(view(12, settings={"online.alpha": 1.0, "online.sampler": sampler}))
    prior = sampler in ("priority", "custom")
    assert ("f(t)" in [each.name for each in drawn.series]) == text(drawn.info[1]).startswith("f(t) ") == prior
    assert (text(drawn.left) == "Priority mass") == prior
    assert prior or f"sampler {sampler}  rows" in text(drawn.info[1])


def test_nothing_is_told_of_a_sampler_until_the_configuration_is_read() -> None:
    pane, unread = MassPane(), view(12, settings=None)
    drawn = pane.chart(unread)
    assert "f(t)" not in [each.name for each in drawn.series] and not drawn.info
    assert pane.key(unread) != pane.key(replace(unread, settings={}))


def of(algo: str, *more: dict[str, Any], **fields: Any) -> RunView:
    """A run of another algorithm, without what only models give."""
    series = RunSeries()
    found = [each for each in events(12, 1.0, 0.0) if each["k"] not in ("model", "unc", "rue")]
    series.apply(Batch([*found, *more], False, None, False))
    return view(plan=replace(PLAN, algo=algo), series=series, **fields)


@pytest.mark.parametrize("algo", ["awac", "cql", "balanced_replay"])
def test_panes_of_models_say_that_there_are_none(algo: str) -> None:
    for pane in (ModelPane(), UncertaintyPane()):
        drawn = pane.chart(of(algo))
        assert not any(each.x.size for each in drawn.series) and drawn.empty == f"{algo} has no models"
        assert pane.summary(of(algo)) == "no models"
        assert not any(text(line) for line in drawn.info)


def test_panes_of_models_wait_for_those_that_there_will_be() -> None:
    for algo in ("moore", "mopo", "mbpo", "fake"):
        assert (ModelPane().chart(of(algo)).empty, UncertaintyPane().chart(of(algo)).empty) == (
            "no fit yet", "no rollout yet",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("algo", "law"), [("awac", "uniform"), ("balanced_replay", "density ratio"), ("mbpo", "online_only")]
)
def test_the_law_is_that_of_the_algorithm_whatever_the_sampler_says(
    algo: str, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MassPane, "inner_width", 78)
    shown = of(algo, settings={"online.alpha": 1.0, "online.sampler": "priority"})
    drawn = MassPane().chart(shown)
    assert text(drawn.left) == f"Priority mass · {law}" and "f(t)" not in [each.name for each in drawn.series]
    assert f"sampler {law}" in text(drawn.info[1])


def test_what_only_some_algorithms_report_of_their_updates_can_be_chosen_there() -> None:
    pane, plain = LossPane(), of("cql")
    last = plain.series.last("loss") if plain.series else None
    assert last is not None
    more = {**last, "seq": 10_000, "conservative": 4.5}
    conservative = of("cql", more)
    pane.view = plain
    assert len(pane.metrics) == 5
    pane.view = conservative
    assert pane.metrics[5:] == ("conservative",)
    pane.metric = 5
    assert text(pane.chart(conservative).left).startswith("Losses · conservative term")
    assert text(pane.chart(plain).left).startswith("Losses · mean Q"), "another run has none"


def test_a_figure_that_does_not_exist_in_an_algorithm_is_told_so() -> None:
    pane, nothing = LossPane(), dict.fromkeys(("q", "actor", "entropy", "q_mean"), 1.0) | {"temperature": "NaN"}
    series = RunSeries()
    found = events(12, 1.0, 0.0)
    found = [each | nothing if each["k"] == "loss" else each for each in found]
    series.apply(Batch(found, False, None, False))
    pane.metric = 2
    shown = view(plan=replace(PLAN, algo="awac"), series=series)
    assert pane.chart(shown).empty == "awac: no temperature"
    assert pane.chart(view(0, series=RunSeries())).empty == "no update yet"


def test_the_details_have_the_stages_that_there_are() -> None:
    for algo, named in (("moore", ["offline", "online"]), ("mopo", ["offline"]), ("mbpo", ["online"])):
        shown = details_pane.stages(of(algo))
        assert [name for name, _ in shown if name != "at"] == named
