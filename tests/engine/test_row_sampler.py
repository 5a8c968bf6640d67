"""The sampler `custom`: any priority f(d, t), against the two strata, its own law, a killed run and bad functions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from moore_engine import checkpoint, config, control
from moore_engine.buffers import Layout, ReplayTable
from moore_engine.config import ConfigError
from moore_engine.row_sampler import Priority, PriorityError, RowSampler
from moore_engine.rundir import EXIT_DONE, EXIT_USAGE, RunDir
from moore_engine.samplers import StratumSampler, shift
from moore_engine.tools.prepare import prepare
from tests.engine import trainer_runs as runs

LAYOUT = Layout(2, 1)
ALPHA = 0.5
# Chi-squared quantiles at p = .001, by degrees of freedom.
CHI2 = {14: 36.12, 29: 58.30}


def two_strata(rows: torch.Tensor, offline: torch.Tensor, t: int) -> torch.Tensor:
    """MOORe's own: 1/(alpha t) for an offline row, 1 for an online one."""
    return torch.where(offline, torch.tensor(1.0 / (ALPHA * t), dtype=torch.float64), 1.0)


def by_value(rows: torch.Tensor, offline: torch.Tensor, t: int) -> torch.Tensor:
    """Differs row by row, by a matrix product, whose rounding depends on the size of the batch."""
    return (rows @ torch.linspace(-1, 1, rows.shape[1])).abs() / t + 0.05


def table_of(n_off: int, n_on: int, room: int = 20) -> ReplayTable:
    """Rows of noise."""
    noise = torch.randn(n_off + n_on, LAYOUT.width, generator=generator(5))
    table = ReplayTable(LAYOUT, noise[:n_off], n_on + room)
    for row in noise[n_off:]:
        table.append(row)
    return table


def at_epoch(priority: Priority, t: int, n_off: int = 20, n_on: int = 10) -> RowSampler:
    sampler = RowSampler(priority, table_of(n_off, n_on))
    sampler.begin_epoch(t)
    return sampler


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def frequencies(index: torch.Tensor, rows: int = 30) -> torch.Tensor:
    return torch.bincount(index.flatten(), minlength=rows).double()


def chi2(counts: torch.Tensor, law: torch.Tensor) -> float:
    expected = law / law.sum() * counts.sum()
    assert not counts[expected == 0].any()
    kept = expected > 0
    return float(((counts - expected)[kept] ** 2 / expected[kept]).sum())


def law_of(sampler: RowSampler) -> torch.Tensor:
    """Every row's probability by the definition."""
    table = sampler.table
    rows = table.rows[: len(table)]
    weights = sampler.priority(rows, torch.arange(len(table)) < table.n_off, sampler.t).double()
    return weights / weights.sum()


def test_the_two_stratum_priority_draws_like_the_two_stratum_sampler() -> None:
    stratum, rows = StratumSampler("priority", ALPHA), at_epoch(two_strata, 4)
    stratum.begin_epoch(4)
    first = frequencies(stratum.draw((6, 10_000), 20, 10, generator(1)))
    drawn = rows.draw((6, 10_000), 20, 10, generator(2))
    second = frequencies(drawn)
    assert drawn.shape == (6, 10_000)
    assert chi2(second, law_of(rows)) < CHI2[29]
    assert float(((first - second) ** 2 / (first + second)).sum()) < CHI2[29], "two samples of one law"
    assert rows.sampled_p_off() == float(second[:20].sum() / second.sum())


@pytest.mark.parametrize("t", [1, 2, 4, 8])
@pytest.mark.parametrize("n_on", [0, 10])
def test_its_closed_forms_are_exactly_those_of_the_two_stratum_sampler(t: int, n_on: int) -> None:
    """Powers of two, so no sum is rounded."""
    stratum, rows = StratumSampler("priority", ALPHA), at_epoch(two_strata, t, 20, n_on)
    stratum.begin_epoch(t)
    assert rows.p_off(20, n_on) == stratum.p_off(20, n_on)
    assert rows.ess(20, n_on) == pytest.approx(stratum.ess(20, n_on), rel=1e-14)
    assert rows.f(20, n_on) == (stratum.f(20, n_on) if n_on else 1.0)


@pytest.mark.parametrize("t", [1, 2, 5])
def test_the_shift_at_an_epochs_end_is_the_closed_form_of_two_strata(t: int) -> None:
    n_off, steps = 30, 7
    sampler = RowSampler(two_strata, table_of(n_off, (t - 1) * steps))
    sampler.begin_epoch(t)
    for row in torch.randn(steps, LAYOUT.width):
        sampler.table.append(row)
    ends = []
    for epoch in (t - 1, t):
        stratum = StratumSampler("priority", ALPHA)
        if epoch:
            stratum.begin_epoch(epoch)
        ends.append((stratum.p_off(n_off, epoch * steps), epoch * steps))
    (p_before, n_before), (p, n_on) = ends
    assert sampler.shift() == pytest.approx(shift(p_before, n_off, n_before, p, n_on), rel=1e-12)


def test_priorities_that_differ_row_by_row_are_followed() -> None:
    sampler = at_epoch(by_value, 2)
    law = law_of(sampler)
    assert chi2(frequencies(sampler.draw(60_000, 20, 10, generator())), law) < CHI2[29]
    assert sampler.p_off(20, 10) == pytest.approx(float(law[:20].sum()))
    assert sampler.ess(20, 10) == pytest.approx(float(1 / law.square().sum()))
    assert sampler.f(20, 10) == pytest.approx(float(law[:20].mean() / law[20:].mean()))


def test_restricted_draws_take_the_given_rows_in_proportion_to_priority() -> None:
    sampler = at_epoch(by_value, 2)
    off_index, on_index = torch.tensor([1, 3, 5, 7, 9]), torch.arange(20, 30)
    law = torch.zeros(30, dtype=torch.float64)
    kept = torch.cat([off_index, on_index])
    law[kept] = law_of(sampler)[kept]
    drawn = sampler.draw(30_000, 20, 10, generator(), off_index=off_index, on_index=on_index)
    assert chi2(frequencies(drawn), law) < CHI2[14]
    every_online = sampler.draw(3000, 20, 10, generator(), off_index=off_index)
    assert set(every_online.tolist()) == set(kept.tolist())
    assert int(sampler.draw(3000, 20, 10, generator()).unique().numel()) > 20


def test_a_row_keeps_its_priority_within_an_epoch_and_a_new_one_gets_its_own_on_arrival() -> None:
    calls: list[tuple[int, int]] = []

    def priority(rows: torch.Tensor, offline: torch.Tensor, t: int) -> torch.Tensor:
        calls.append((len(rows), t))
        return by_value(rows, offline, t)

    sampler = at_epoch(priority, 3, 15, 5)
    assert sampler.p_off(15, 5) > 0
    off_index = torch.arange(15)
    sampler.draw(10, 15, 5, generator(), off_index=off_index)
    for n_on in range(6, 16):
        sampler.table.append(torch.full((LAYOUT.width,), float(n_on)))
        sampler.p_off(15, n_on)
    assert calls == [(20, 3)] + [(1, 3)] * 10
    assert chi2(frequencies(sampler.draw(60_000, 15, 15, generator())), law_of(sampler)) < CHI2[29]
    drawn = sampler.draw(60_000, 15, 15, generator(), off_index=off_index)
    assert chi2(frequencies(drawn), law_of(sampler)) < CHI2[29], "a restriction kept from before the rows came"
    sampler.begin_epoch(4)
    assert sampler.p_off(15, 15) == pytest.approx(float(law_of(sampler)[:15].sum()))


def test_more_room_in_the_table_changes_no_draw() -> None:
    small, large = at_epoch(by_value, 2), at_epoch(by_value, 2)
    small.p_off(20, 10), large.p_off(20, 10)
    large.table.reserve(500)
    for index in range(100):
        large.table.append(torch.full((LAYOUT.width,), float(index)))
    small.table.reserve(200)
    for index in range(100):
        small.table.append(torch.full((LAYOUT.width,), float(index)))
        small.p_off(20, 11 + index)
    assert torch.equal(small.draw(5000, 20, 110, generator()), large.draw(5000, 20, 110, generator()))


def test_a_restored_sampler_goes_on_bit_for_bit() -> None:
    sampler, rng, rng2 = at_epoch(by_value, 3), generator(), generator(9)
    for index in range(7):
        sampler.table.append(torch.full((LAYOUT.width,), index / 7))
    sampler.draw(100, 20, 17, rng)
    state = json.loads(json.dumps(sampler.state_dict()))
    restored = RowSampler(by_value, sampler.table)
    restored.load_state_dict(state)
    rng2.set_state(rng.get_state())
    assert torch.equal(sampler.draw(5000, 20, 17, rng), restored.draw(5000, 20, 17, rng2))
    assert (restored.p_off(20, 17), restored.ess(20, 17)) == (sampler.p_off(20, 17), sampler.ess(20, 17))
    assert restored.shift() == sampler.shift()
    assert restored.state_dict() == sampler.state_dict()
    with pytest.raises(ValueError, match="saved sampler is priority, this one custom"):
        restored.load_state_dict(StratumSampler("priority").state_dict())


def test_before_the_first_epoch_all_rows_are_alike() -> None:
    sampler = RowSampler(by_value, table_of(20, 10))
    sampler.set_alpha(3.0)
    assert (sampler.p_off(20, 10), sampler.f(20, 10), sampler.ess(20, 10)) == (20 / 30, 1.0, pytest.approx(30))
    with pytest.raises(ValueError, match="start at 1"):
        sampler.begin_epoch(0)
    with pytest.raises(ValueError, match=r"has 20 \+ 10 rows, not 20 \+ 9"):
        sampler.p_off(20, 9)


def test_online_rows_without_priority_make_f_infinite() -> None:
    sampler = at_epoch(lambda rows, offline, t: offline.double(), 1)
    assert sampler.f(20, 10) == math.inf
    assert sampler.p_off(20, 10) == 1.0


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda rows, offline, t: torch.where(torch.arange(len(rows)) == 3, -1.0, 1.0), "gave row 3 -1.0 in online"),
        (lambda rows, offline, t: rows[:, 0] * math.nan, "gave row 0 nan"),
        (lambda rows, offline, t: rows[:, 0].abs() / 0, "gave row 0 inf"),
        (lambda rows, offline, t: rows[:, :1].abs(), r"shape \(30, 1\) for 30 rows, not \(30,\)"),
        (lambda rows, offline, t: [1.0] * len(rows), "returned a list, not a tensor"),
        (lambda rows, offline, t: torch.zeros(len(rows)), "all 30 rows add up to 0.0"),
        (lambda rows, offline, t: torch.full((len(rows),), 1e308, dtype=torch.float64), "add up to inf"),
    ],
)
def test_an_unusable_priority_is_one_sentence(bad: Any, words: str) -> None:
    with pytest.raises(PriorityError, match=words) as caught:
        at_epoch(bad, 2).draw(8, 20, 10, generator())
    assert "\n" not in str(caught.value)


def test_rows_to_draw_from_that_have_no_priority_are_an_error() -> None:
    sampler = at_epoch(lambda rows, offline, t: (~offline).double(), 1)
    with pytest.raises(PriorityError, match="the 3 rows to draw from add up to"):
        sampler.draw(8, 20, 10, generator(), off_index=torch.arange(3), on_index=torch.arange(0))


# --- as an option of a run ---

NAME = "tests.engine.test_row_sampler:by_value"
CUSTOM = ("online.sampler=custom", f"online.priority={NAME}")
FEW = ("offline.epochs=1", "online.epochs=2", "model.max_epochs=2", "eval.switch_episodes=2")


def failing(rows: torch.Tensor, offline: torch.Tensor, t: int) -> torch.Tensor:
    raise RuntimeError("first line\nsecond line")


def negative(rows: torch.Tensor, offline: torch.Tensor, t: int) -> torch.Tensor:
    return -torch.ones(len(rows))


def request(data: Path, name: str, *trust: str) -> dict[str, Any]:
    sets = [*runs.SMALL, f"data.path={data}", "data.task=InvertedPendulum-v4", "online.sampler=custom"]
    settings = config.resolve(None, sets=[*sets, f"online.priority={name}"]).config
    return {"config": config.dumps(settings), "trust": trust, "base_dir": "/"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os:system", "online.priority = 'os:system' would run code; .*--trust-code os:system"),
        ("nonsuch:f", "online.priority = 'nonsuch:f' is not an importable 'pkg.module:function'"),
        ("tests.engine.test_row_sampler:NAME", "is not a function"),
        ("tests.engine.test_row_sampler:failing", "does not work on this data set: first line$"),
        ("tests.engine.test_row_sampler:negative", "data set: the priority function gave row 0 -1.0"),
    ],
)
def test_preparation_refuses_a_function_in_one_sentence(data: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        prepare(request(data, name, *() if name == "os:system" else (name,)))
    assert "\n" not in str(caught.value)


def test_preparation_accepts_a_trusted_function(data: Path) -> None:
    assert prepare(request(data, NAME, NAME))["rows"] == 1500


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (["online.sampler=custom"], '"custom" needs a function: set online.priority = "pkg.module:function"'),
        (["online.priority=a:b"], 'online.priority = "a:b" needs online.sampler = "custom"'),
    ],
)
def test_the_sampler_and_its_function_go_together(sets: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config.resolve(None, sets=sets)


def test_a_start_without_trust_is_refused(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOORE_TRUST_CODE", raising=False)
    run = runs.make_run(tmp_path / "untrusted", data, *CUSTOM)
    assert runs.finish(run) == EXIT_USAGE
    said = (run.log / "trainer.log").read_text().strip().splitlines()
    assert said[-1].endswith(f"start with --trust-code {NAME}")
    assert "Traceback" not in "".join(said)


@pytest.mark.timeout(300)
def test_a_run_killed_within_an_online_epoch_ends_as_the_uninterrupted_one(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORE_TRUST_CODE", NAME)
    whole, killed = (runs.make_run(tmp_path / name, data, *CUSTOM, *FEW) for name in ("whole", "killed"))
    assert runs.finish(whole) == EXIT_DONE, runs.log(whole)
    trainer = runs.start(killed)
    runs.until(lambda: runs.count(killed, "share") >= 2, "the first online rollout")
    asked = control.post(killed, "checkpoint")
    runs.until(lambda: control.acknowledgement(killed, asked.id), "the acknowledgement")
    trainer.kill()
    trainer.wait()
    saved = checkpoint.load(checkpoint.find(killed))
    assert saved["sampler"]["t"] >= 1
    assert saved["replay"]["online"].shape[0] > saved["sampler"]["first"] - 1500, "rows came within the epoch"
    assert runs.finish(killed) == EXIT_DONE, runs.log(killed)
    assert runs.hashes(killed) == runs.hashes(whole)
    assert runs.facts(killed) == runs.facts(whole)
    assert_shares(whole)


def assert_shares(run: RunDir) -> None:
    """The drawn share is the expected one, and the shift a number."""
    shares = [fact for fact in runs.facts(run) if fact["k"] == "share" and fact["stage"] == "online"]
    assert len(shares) == 6
    for fact in shares:
        assert fact["p_off_sampled"] == pytest.approx(fact["p_off"], abs=0.06)
        assert 0 < fact["shift"] < 1
