"""The preview of the priority schedule is the engine's own: Eq. 3's closed forms, for every sampler."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_engine import samplers
from moore_tui.runs.schedule import MOST_EPOCHS, SAMPLERS, preview


def engine(kind, alpha, n_off, steps, epochs):
    """(P_off, shift, effective size) at the end of each epoch, as the engine computes them."""
    found, before, p_before = [], 0, 1.0
    for t in range(1, epochs + 1):
        sampler = samplers.StratumSampler(kind, alpha)
        sampler.begin_epoch(t)
        p, n_on = sampler.p_off(n_off, t * steps), t * steps
        found.append((p, samplers.shift(p_before, n_off, before, p, n_on), sampler.ess(n_off, n_on)))
        p_before, before = p, n_on
    return found


@given(
    st.sampled_from(SAMPLERS),
    st.floats(1e-4, 1e4),
    st.integers(1, 3_000_000),
    st.integers(1, 5000),
    st.integers(1, 60),
)
def test_every_figure_is_the_engines(kind, alpha, n_off, steps, epochs):
    plan = preview(n_off, steps, epochs, alpha, kind)
    rows = engine(kind, alpha, n_off, steps, epochs)
    assert plan.p_off == pytest.approx([row[0] for row in rows], rel=1e-12)
    assert plan.shift == pytest.approx([row[1] for row in rows], rel=1e-9, abs=1e-12)
    assert plan.ess == pytest.approx([row[2] for row in rows], rel=1e-9)
    assert plan.largest_shift == max(plan.shift) == plan.shift[plan.shift_epoch - 1]


@given(st.floats(1e-3, 1e3), st.integers(1, 1_000_000), st.integers(1, 5000))
def test_the_half_time_is_the_engines_and_the_half_epoch_the_first_one_past_it(alpha, n_off, steps):
    plan = preview(n_off, steps, 200, alpha)
    assert plan.half_time == pytest.approx(samplers.half_time(n_off, steps, alpha))
    if plan.half_epoch is None:
        assert plan.half_time > 200 * (1 - 1e-9)
    else:
        assert plan.half_epoch == pytest.approx(plan.half_time, abs=1.0 + 1e-6)
        assert plan.p_off[plan.half_epoch - 1] <= 0.5
        assert all(p > 0.5 for p in plan.p_off[: plan.half_epoch - 1])


def test_automatic_alpha_puts_the_half_at_epoch_20():
    plan = preview(400_000, 1000, 100, "auto")
    assert plan.alpha == samplers.auto_alpha(400_000, 1000)
    assert (plan.half_epoch, plan.half_time) == (20, pytest.approx(20.0))


def test_hopper_medium_replay_has_its_half_at_the_epoch_that_was_measured():
    assert preview(200_000, 1000, 15, 1.0).half_epoch == 15
    assert preview(200_000, 1000, 15, 1.0).half_time == pytest.approx(14.14, abs=0.01)


def test_a_half_beyond_the_planned_epochs_is_told_apart():
    plan = preview(2_000_000, 1000, 10, 1.0)
    assert plan.half_epoch is None
    assert plan.half_time == pytest.approx(44.7, abs=0.1)


def test_an_online_sampler_jumps_at_once():
    plan = preview(1000, 100, 5, 1.0, "online_only")
    assert plan.p_off == (0.0,) * 5
    assert (plan.shift_epoch, plan.largest_shift, plan.half_epoch) == (1, 1.0, 1)


@given(st.integers(1, 100_000), st.integers(1, 5000))
def test_half_and_half_is_half_online_from_the_first_epoch(n_off, steps):
    assert preview(n_off, steps, 3, 1.0, "half_half").half_epoch == 1


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_an_alpha_that_is_not_positive_is_refused(alpha):
    with pytest.raises(ValueError, match="positive"):
        preview(1000, 100, 5, alpha)


def test_what_cannot_be_known_before_is_none():
    assert preview(1000, 100, 5, 1.0, "custom") is None
    assert preview(0, 100, 5) is None


def test_a_slip_of_the_key_does_not_compute_a_million_epochs():
    assert len(preview(1000, 100, 10**9).p_off) == MOST_EPOCHS


def test_no_online_epoch_has_an_empty_schedule():
    plan = preview(1000, 100, 0)
    assert (plan.p_off, plan.shift_epoch, plan.half_epoch) == ((), None, None)
