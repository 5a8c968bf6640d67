"""The four samplers against their closed forms, and the holdout rule."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moore_engine import samplers
from moore_engine.samplers import StratumSampler, holdout_mask

EPOCHS = (1, 10, 20, 50, 100)
P_OFF_TABLE = {
    200_000: (0.9950, 0.6667, 0.3333, 0.0741, 0.0196),
    400_000: (0.9975, 0.8000, 0.5000, 0.1379, 0.0385),
    1_000_000: (0.9990, 0.9091, 0.7143, 0.2857, 0.0909),
    2_000_000: (0.9995, 0.9524, 0.8333, 0.4444, 0.1667),
}
HALF_TIMES = {200_000: 14.1, 400_000: 20.0, 1_000_000: 31.6, 2_000_000: 44.7}
# Chi-squared quantiles at p = .001, by degrees of freedom.
CHI2 = {1: 10.83, 9: 27.88, 14: 36.12, 29: 58.30}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chi2(counts: torch.Tensor, probability: torch.Tensor) -> float:
    expected = probability.double() * counts.sum()
    assert not counts[expected == 0].any()
    kept = expected > 0
    return float(((counts - expected)[kept] ** 2 / expected[kept]).sum())


def at_epoch(kind: str, t: int, alpha: float = 1.0) -> StratumSampler:
    sampler = StratumSampler(kind, alpha)
    sampler.begin_epoch(t)
    return sampler


def row_law(sampler: StratumSampler, n_off: int, n_on: int) -> torch.Tensor:
    """Every row's probability, by enumeration of the definition: weight f or 1, normalised."""
    weights = torch.cat([torch.full((n_off,), sampler.f(n_off, n_on)), torch.ones(n_on)]).double()
    return weights / weights.sum()


@pytest.mark.parametrize("n_off", P_OFF_TABLE)
def test_p_off_at_the_end_of_an_epoch_is_the_tabulated_value(n_off):
    values = [at_epoch("priority", t).p_off(n_off, 1000 * t) for t in EPOCHS]
    assert [f"{value:.4f}" for value in values] == [f"{value:.4f}" for value in P_OFF_TABLE[n_off]]


@pytest.mark.parametrize("n_off", HALF_TIMES)
def test_the_half_time_is_the_tabulated_one_and_halves_p_off(n_off):
    t_half = samplers.half_time(n_off, 1000, 1.0)
    assert f"{t_half:.1f}" == f"{HALF_TIMES[n_off]:.1f}"
    for t in EPOCHS:
        assert at_epoch("priority", t).p_off(n_off, 1000 * t) == pytest.approx(1 / (1 + (t / t_half) ** 2), rel=1e-12)


def test_a_hundredfold_alpha_moves_the_half_time_tenfold():
    assert samplers.half_time(10**6, 1000, 0.1) == pytest.approx(10 * samplers.half_time(10**6, 1000, 10.0))


@pytest.mark.parametrize("n_off", [10_000, 200_000, 2_000_000])
def test_auto_alpha_puts_the_half_time_at_20_epochs_for_any_size(n_off):
    alpha = samplers.auto_alpha(n_off, 1000)
    assert samplers.half_time(n_off, 1000, alpha) == pytest.approx(20.0)
    assert at_epoch("priority", 20, alpha).p_off(n_off, 20_000) == pytest.approx(0.5)
    assert samplers.auto_alpha(400_000, 1000) == pytest.approx(1.0)


def test_the_offline_stage_draws_every_row_alike():
    sampler = StratumSampler("priority", alpha=7.0)
    assert sampler.p_off(50, 0) == 1.0
    assert sampler.ess(50, 0) == 50
    assert at_epoch("priority", 1).f(50, 10) == 1.0, "f(1) = 1 at alpha 1 goes on from the offline stage"


@pytest.mark.parametrize("kind", samplers.SAMPLER_KINDS)
def test_sampled_rows_follow_the_law_of_each_sampler(kind):
    n_off, n_on = 20, 10
    sampler = at_epoch(kind, 4, alpha=0.5)
    drawn = sampler.draw(60_000, n_off, n_on, generator())
    counts = torch.bincount(drawn, minlength=n_off + n_on).double()
    law = row_law(sampler, n_off, n_on)
    assert chi2(counts, law) < (CHI2[9] if kind == "online_only" else CHI2[29])
    assert sampler.sampled_p_off() == pytest.approx(float(counts[:n_off].sum() / counts.sum()))
    assert sampler.p_off(n_off, n_on) == pytest.approx(float(law[:n_off].sum()))


@pytest.mark.parametrize("t, n_on", [(1, 1000), (14, 14_000), (50, 50_000)])
def test_sampled_strata_of_a_real_sized_table_match_p_off(t, n_on):
    n_off, count = 200_000, 200_000
    sampler = at_epoch("priority", t)
    sampler.draw((4, count // 4), n_off, n_on, generator(t))
    p = sampler.p_off(n_off, n_on)
    offline = sampler.sampled_p_off() * count
    assert chi2(torch.tensor([offline, count - offline]), torch.tensor([p, 1 - p])) < CHI2[1]


@pytest.mark.parametrize("shape", [256, (7, 256), 100_000])
def test_half_half_draws_exactly_half_of_every_batch(shape):
    sampler = at_epoch("half_half", 3)
    drawn = sampler.draw(shape, 1000, 30, generator())
    offline = drawn < 1000
    assert bool((offline.sum(-1) * 2 == drawn.shape[-1]).all())
    assert bool((drawn[..., :64] < 1000).sum(-1).eq(32).all()), "and of every even-sized stretch of it"
    assert sampler.sampled_p_off() == 0.5


def test_an_odd_half_half_batch_tosses_a_coin_for_the_last_row():
    drawn = at_epoch("half_half", 3).draw((4000, 5), 1000, 30, generator())
    counts = (drawn < 1000).sum(-1)
    assert set(counts.tolist()) == {2, 3}
    threes = (counts == 3).double().sum()
    assert chi2(torch.stack([threes, 4000 - threes]), torch.tensor([0.5, 0.5])) < CHI2[1]


def test_half_half_without_online_rows_draws_offline_ones():
    drawn = at_epoch("half_half", 1).draw(100, 50, 0, generator())
    assert int(drawn.max()) < 50


def test_online_only_without_online_rows_is_an_error():
    sampler = at_epoch("online_only", 1)
    for call in (lambda: sampler.draw(4, 50, 0, generator()), lambda: sampler.p_off(50, 0), lambda: sampler.ess(50, 0)):
        with pytest.raises(ValueError, match="online_only has no rows before the first environment step"):
            call()


def test_drawing_from_nothing_is_an_error():
    with pytest.raises(ValueError, match="no rows to draw"):
        StratumSampler("uniform").draw(4, 0, 0, generator())


def test_restricted_strata_keep_p_off_and_draw_only_the_given_rows():
    n_off, n_on = 20, 10
    sampler = at_epoch("priority", 2)
    off_index, on_index = torch.tensor([1, 3, 5, 7, 9]), torch.arange(20, 30)
    drawn = sampler.draw(30_000, n_off, n_on, generator(), off_index=off_index, on_index=on_index)
    p = sampler.p_off(n_off, n_on)
    law = torch.zeros(30)
    law[off_index], law[on_index] = p / 5, (1 - p) / 10
    assert chi2(torch.bincount(drawn, minlength=30).double(), law) < CHI2[14]


def test_an_empty_restricted_stratum_is_an_error_when_it_would_be_drawn():
    empty, sampler = torch.empty(0, dtype=torch.long), at_epoch("priority", 2)
    with pytest.raises(ValueError, match="on_index is empty"):
        sampler.draw(8, 20, 10, generator(), on_index=empty)
    with pytest.raises(ValueError, match="off_index is empty"):
        sampler.draw(8, 20, 10, generator(), off_index=empty)
    assert int(sampler.draw(8, 20, 0, generator(), on_index=empty).max()) < 20


@settings(max_examples=50)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 100), st.sampled_from(samplers.SAMPLER_KINDS))
def test_the_effective_size_is_that_of_the_enumerated_law(n_off, n_on, t, kind):
    sampler = at_epoch(kind, t)
    law = row_law(sampler, n_off, n_on)
    assert sampler.ess(n_off, n_on) == pytest.approx(float(1 / law.square().sum()), rel=1e-5)
    assert sampler.ess(n_off, n_on) <= n_off + n_on + 1e-9


def test_the_effective_size_of_equal_weights_is_the_number_of_rows():
    assert samplers.effective_size(200_000, 1000, 1.0) == 201_000
    assert at_epoch("half_half", 1).ess(100_000, 1000) == pytest.approx(4 / (1 / 100_000 + 1 / 1000))


def epoch_laws(kind: str, n_off: int, epochs: int, steps: int) -> list[tuple[float, int]]:
    """P_off and online rows at the end of epochs 0 (the offline stage) to `epochs`."""
    ends = [(1.0, 0)]
    for t in range(1, epochs + 1):
        ends.append((at_epoch(kind, t).p_off(n_off, steps * t), steps * t))
    return ends


@pytest.mark.parametrize(
    "kind, largest", [("priority", 0.0205), ("uniform", 0.001), ("half_half", 0.5), ("online_only", 1.0)]
)
def test_the_largest_shift_between_epochs_is_the_known_one(kind, largest):
    n_off = 1_000_000
    laws = epoch_laws(kind, n_off, 100, 1000)
    shifts = [samplers.shift(a[0], n_off, a[1], b[0], b[1]) for a, b in itertools.pairwise(laws)]
    assert max(shifts) == pytest.approx(largest, abs=5e-5)


@pytest.mark.parametrize("kind", samplers.SAMPLER_KINDS)
def test_the_closed_form_shift_is_the_enumerated_total_variation(kind):
    n_off, steps = 90, 7
    laws = epoch_laws(kind, n_off, 12, steps)
    for t, ((p_prev, prev), (p, n_on)) in enumerate(itertools.pairwise(laws), start=1):
        before = torch.zeros(n_off + n_on, dtype=torch.float64)
        before[: n_off + prev] = row_law(at_epoch(kind, t - 1), n_off, prev) if prev else 1 / n_off
        if not prev:
            before[n_off:] = 0
        after = row_law(at_epoch(kind, t), n_off, n_on)
        brute = 0.5 * float((after - before).abs().sum())
        assert samplers.shift(p_prev, n_off, prev, p, n_on) == pytest.approx(brute, abs=1e-6)


def test_an_unchanged_law_has_no_shift():
    assert samplers.shift(0.3, 100, 50, 0.3, 50) == 0.0
    assert samplers.shift(1.0, 100, 0, 1.0, 0) == 0.0


def test_a_new_alpha_holds_from_the_next_epoch():
    sampler = at_epoch("priority", 4)
    sampler.set_alpha(2.0)
    assert sampler.f(10, 10) == 0.25
    sampler.begin_epoch(5)
    assert sampler.f(10, 10) == 0.1


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.inf, math.nan])
def test_alpha_must_be_a_positive_number(alpha):
    with pytest.raises(ValueError, match="positive number"):
        StratumSampler("priority", alpha)


def test_unknown_kinds_and_epoch_zero_are_refused():
    with pytest.raises(ValueError, match="choose one of priority, uniform, half_half, online_only"):
        StratumSampler("prioritised")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="start at 1"):
        at_epoch("priority", 0)


def test_a_restored_sampler_goes_on_bit_for_bit():
    sampler, rng = at_epoch("priority", 3), generator()
    sampler.set_alpha(4.0)
    sampler.draw(100, 20, 10, rng)
    restored, rng2 = StratumSampler("priority"), generator(9)
    restored.load_state_dict(sampler.state_dict())
    rng2.set_state(rng.get_state())
    assert torch.equal(sampler.draw(100, 20, 10, rng), restored.draw(100, 20, 10, rng2))
    sampler.begin_epoch(4), restored.begin_epoch(4)
    assert torch.equal(sampler.draw(100, 20, 10, rng), restored.draw(100, 20, 10, rng2))
    assert restored.state_dict() == sampler.state_dict()
    with pytest.raises(ValueError, match="saved sampler is priority, this one uniform"):
        StratumSampler("uniform").load_state_dict(sampler.state_dict())


def test_resetting_the_counts_forgets_earlier_draws():
    sampler = at_epoch("half_half", 1)
    assert math.isnan(sampler.sampled_p_off())
    sampler.draw(100, 20, 0, generator())
    sampler.reset_counts()
    sampler.draw(100, 20, 10, generator())
    assert sampler.sampled_p_off() == 0.5


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.floats(0.05, 0.9),
    st.integers(0, 30),
    st.integers(0, 2**40),
)
def test_a_held_out_row_enters_on_arrival_only_and_never_returns(arrivals, ratio, cap, first_id):
    ids = torch.arange(first_id, first_id + sum(arrivals))
    n, before = 0, torch.empty(0, dtype=torch.bool)
    for count in arrivals:
        n += count
        held = holdout_mask(ids, n, ratio, cap)
        assert held.shape == (n,)
        assert int(held.sum()) <= cap
        assert not bool((held[: before.numel()] & ~before).any())
        before = held


def test_a_new_row_can_still_be_held_out_after_the_cap_is_reached():
    ids = torch.arange(20_000)
    held = holdout_mask(ids, 20_000)
    assert int(held.sum()) == 1000
    assert int(held[10_000:].sum()) > 400, "the cap does not freeze on the first rows"


def test_below_the_cap_the_held_out_share_is_the_ratio():
    held = holdout_mask(torch.arange(4000), 4000)
    share = int(held.sum())
    assert chi2(torch.tensor([share, 4000 - share]).double(), torch.tensor([0.2, 0.8])) < CHI2[1]
    assert bool(holdout_mask(torch.arange(50), 50, ratio=1.0).all())
    assert not bool(holdout_mask(torch.arange(50), 50, ratio=0.0).any())


def test_the_hash_is_splitmix64s():
    """Reference values of Vigna's splitmix64.c, state 0: its first outputs are the hashes of 0 and of one increment."""
    increment = 0x9E3779B97F4A7C15 - (1 << 64)
    hashed = samplers._splitmix64(torch.tensor([0, increment])) ^ -(1 << 63)
    assert [value % (1 << 64) for value in hashed.tolist()] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_missing_ids_are_an_error():
    with pytest.raises(ValueError, match="3 ids were given for 5 rows"):
        holdout_mask(torch.arange(3), 5)
