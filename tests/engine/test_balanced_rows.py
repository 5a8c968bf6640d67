"""Priorities of rows by closed form, and draws that agree with them."""

from __future__ import annotations

import math

import pytest
import torch

from moore_engine.balanced_rows import BalancedRows, starting_priority
from moore_engine.buffers import Layout, ReplayTable

LAYOUT = Layout(2, 1)
N_OFF = 300


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def balanced(n_on: int = 0, fraction: float = 0.5, arrivals: int = 50, room: int = 100) -> BalancedRows:
    table = ReplayTable(LAYOUT, torch.randn(N_OFF, LAYOUT.width, generator=generator(1)), room)
    rows = BalancedRows(table, fraction=fraction, arrivals=arrivals)
    arrive(rows, n_on)
    return rows


def arrive(rows: BalancedRows, count: int) -> None:
    for k in range(count):
        rows.table.append(torch.full((LAYOUT.width,), float(k)))
    rows.enter()


@pytest.mark.parametrize(("n_off", "fraction", "priority"), [(200_000, 0.5, 200.0), (1_000_000, 0.75, 3000.0)])
def test_new_rows_start_at_the_published_priority(n_off: int, fraction: float, priority: float) -> None:
    assert starting_priority(n_off, fraction, 1000) == pytest.approx(priority)


@pytest.mark.parametrize("fraction", [0.5, 0.75, 0.1])
def test_the_first_rows_together_hold_the_fraction_asked_for(fraction: float) -> None:
    rows = balanced(50, fraction)
    assert torch.equal(rows.priorities[:N_OFF], torch.ones(N_OFF, dtype=torch.float64))
    share = rows.share()
    assert share["p_off"] == pytest.approx(1 - fraction)
    assert share["priority_off"] == pytest.approx((1 - fraction) / fraction * 50 / N_OFF)
    assert (share["n_off"], share["n_on"]) == (N_OFF, 50)
    assert share["shift"] == pytest.approx(fraction), "from the offline rows' law to this one"
    assert math.isnan(share["p_off_sampled"])


def test_rows_that_arrive_later_start_anew_and_the_others_keep_what_they_were_given() -> None:
    rows = balanced(50)
    rows.set_priority(torch.tensor([7, N_OFF + 3]), torch.tensor([0.25, 2.5]))
    arrive(rows, 2)
    assert rows.priorities[[6, 7, N_OFF + 3, N_OFF + 4, N_OFF + 50]].tolist() == [1.0, 0.25, 2.5, 6.0, 6.0]
    assert rows.priorities.shape == (N_OFF + 52,)


def test_draws_follow_the_priorities_and_are_stratified() -> None:
    rows = balanced(40, fraction=0.3, arrivals=40)
    draw = generator(3)
    rows.set_priority(torch.arange(N_OFF + 40), torch.rand(N_OFF + 40, dtype=torch.float64, generator=draw) + 0.05)
    rows.begin_epoch()
    count, batches = 64, 500
    seen = torch.zeros(N_OFF + 40, dtype=torch.float64)
    shares = []
    for _ in range(batches):
        index = rows.draw(count, draw)
        seen += torch.bincount(index, minlength=N_OFF + 40)
        shares.append((index < N_OFF).double().mean().item())
    law = rows.priorities / rows.priorities.sum()
    spread = (law * count * batches).sqrt()
    assert ((seen - law * count * batches).abs() < 5 * spread).all()
    share = rows.share()
    assert share["p_off_sampled"] == pytest.approx(sum(shares) / batches)
    assert share["p_off_sampled"] == pytest.approx(share["p_off"], abs=0.004)
    assert max(shares) - min(shares) <= 2 / count, "one row from each of 64 equal parts: at most two parts are mixed"
    assert share["shift"] == 0.0


def test_the_strata_are_uniform_whatever_the_priorities() -> None:
    rows = balanced(20)
    rows.set_priority(torch.arange(5), torch.full((5,), 1000.0))
    off, on = rows.strata(60_000, generator(4))
    assert (off.min(), off.max(), on.min(), on.max()) == (0, N_OFF - 1, N_OFF, N_OFF + 19)
    for index, first, n in ((off, 0, N_OFF), (on, N_OFF, 20)):
        counts = torch.bincount(index - first, minlength=n)
        assert ((counts - 60_000 / n).abs() < 5 * (60_000 / n) ** 0.5).all()


def test_shift_is_the_total_variation_since_the_epoch_began() -> None:
    rows = balanced(50)
    rows.begin_epoch()
    assert rows.share()["shift"] == 0.0
    before = rows.priorities / rows.priorities.sum()
    rows.set_priority(torch.arange(0, 100), torch.full((100,), 3.0))
    arrive(rows, 10)
    after = rows.priorities / rows.priorities.sum()
    plain = sum(abs(a - (before[k].item() if k < 350 else 0.0)) for k, a in enumerate(after.tolist())) / 2
    assert rows.share()["shift"] == pytest.approx(plain)
    assert plain > 0.1


def test_a_restored_state_draws_the_same_rows() -> None:
    whole, other = balanced(30), balanced()
    draw = generator(5)
    for _ in range(20):
        index = whole.draw(16, draw)
        whole.set_priority(index, torch.rand(N_OFF + 30, generator=generator(6))[index] + 0.1)
    saved = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    other.table.load_state_dict(whole.table.state_dict())
    other.load_state_dict(saved)
    one, two = generator(7), generator(7)
    for _ in range(20):
        mine, theirs = whole.draw(16, one), other.draw(16, two)
        assert torch.equal(mine, theirs)
        for rows in (whole, other):
            rows.set_priority(mine, (mine % 7 + 1).double())
    assert all(torch.equal(a, b) for a, b in zip(whole.strata(9, one), other.strata(9, two), strict=True))
    assert whole.share() == other.share()
    assert torch.equal(whole.tree.nodes, other.tree.nodes)


def test_more_room_keeps_the_priorities() -> None:
    rows = balanced(90)
    rows.set_priority(torch.tensor([5]), torch.tensor([9.0]))
    before = rows.priorities.clone()
    assert not rows.reserve()
    rows.table.reserve(500)
    assert rows.reserve()
    assert torch.equal(rows.priorities, before)
    arrive(rows, 400)
    assert rows.share()["n_on"] == 490
