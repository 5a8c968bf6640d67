"""The sum tree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moore_engine.sumtree import SumTree


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_node_is_the_sum_of_its_children_after_scattered_updates():
    tree = SumTree(37)
    rng = generator()
    for _ in range(20):
        index = torch.randperm(37, generator=rng)[:9]
        tree.update(index, torch.rand(9, generator=rng))
    inner = torch.arange(1, tree.leaves)
    assert torch.equal(tree.nodes[inner], tree.nodes[2 * inner] + tree.nodes[2 * inner + 1])
    assert float(tree.total) == pytest.approx(float(tree.priority(torch.arange(37)).sum()), rel=1e-12)


def test_filling_equals_updating_every_row():
    priority = torch.rand(21, dtype=torch.float64, generator=generator())
    filled, updated = SumTree(21), SumTree(21)
    filled.update(torch.arange(21), torch.ones(21))
    filled.fill(priority)
    updated.update(torch.arange(21), priority)
    assert torch.equal(filled.nodes, updated.nodes)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40).filter(any))
def test_find_inverts_the_running_sum(weights):
    tree = SumTree(len(weights))
    tree.fill(torch.tensor(weights))
    mass = torch.arange(sum(weights), dtype=torch.float64) + 0.5
    expected = [row for row, weight in enumerate(weights) for _ in range(weight)]
    assert tree.find(mass).tolist() == expected


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30), st.integers(0, 2**31))
def test_a_row_without_priority_is_never_drawn(weights, seed):
    weights = torch.tensor([*weights, 1.0, 0.0], dtype=torch.float64)
    tree = SumTree(len(weights))
    tree.fill(weights)
    edges = torch.cat([torch.cumsum(weights, 0), tree.total[None]])
    mass = torch.cat([edges, torch.nextafter(edges, torch.zeros(1, dtype=torch.float64))]).clamp(min=0)
    drawn = torch.cat([tree.find(mass[mass < tree.total]), tree.sample(500, generator(seed))])
    assert bool((weights[drawn] > 0).all())


def test_rounding_at_a_right_edge_does_not_lead_into_an_empty_row():
    """Here total - left rounds up to the right half's own sum, one past its last interval."""
    ulp = 2.0**-52
    weights = torch.tensor([1.5 * ulp, 0.0, 1.0 + 2 * ulp, 0.0], dtype=torch.float64)
    tree = SumTree(4)
    tree.fill(weights)
    last = torch.nextafter(tree.total, torch.zeros((), dtype=torch.float64))
    assert tree.find(last[None]).tolist() == [2]


def test_draws_follow_the_priorities():
    weights = torch.tensor([1.0, 0.0, 3.0, 6.0])
    tree = SumTree(4)
    tree.fill(weights)
    counts = torch.bincount(tree.sample(10_000, generator()), minlength=4).double()
    expected = weights.double() * 1000
    chi2 = float(((counts - expected) ** 2)[expected > 0].div(expected[expected > 0]).sum())
    assert chi2 < 13.8, "2 degrees of freedom, p = .001"


def test_a_stratified_draw_takes_equal_rows_equally_often():
    tree = SumTree(8)
    tree.fill(torch.ones(8))
    counts = torch.bincount(tree.sample(64, generator(), stratified=True), minlength=8)
    assert counts.tolist() == [8] * 8


def test_a_restored_tree_is_the_saved_one():
    tree = SumTree(11)
    tree.update(torch.tensor([3, 7]), torch.tensor([0.25, 2.0]))
    restored = SumTree(11)
    restored.load_state_dict(tree.state_dict())
    assert torch.equal(tree.nodes, restored.nodes)
    with pytest.raises(ValueError, match="11 saved priorities do not fit a tree of 5 rows"):
        SumTree(5).load_state_dict(tree.state_dict())


def test_a_tree_of_one_row_works():
    tree = SumTree(1)
    tree.fill(torch.tensor([2.0]))
    assert tree.sample(5, generator()).tolist() == [0] * 5
