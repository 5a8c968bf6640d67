"""D4RL scores: references, shift and scale."""

from __future__ import annotations

import pytest

from moore_engine.scores import comparable, reference, score


@pytest.mark.parametrize(
    ("task", "low", "high"),
    [
        ("HalfCheetah-v4", -280.178953, 12135.0),
        ("Hopper-v4", -20.272305, 3234.3),
        ("Walker2d-v4", 1.629008, 4592.3),
    ],
)
def test_the_references_score_zero_and_a_hundred(task, low, high):
    assert reference(task) == (low, high)
    assert score(task, low) == 0.0
    assert score(task, high) == 100.0


def test_a_known_return_has_the_published_score():
    # D4RL's hopper-medium data: mean return 1422.06, published score 44.3.
    assert score("Hopper-v4", 1422.06) == pytest.approx(44.3, abs=0.05)


def test_a_data_sets_own_reference_goes_first():
    assert score("InvertedDoublePendulum-v5", 60.0, (10.0, 110.0)) == 50.0
    assert score("Hopper-v4", 60.0, (10.0, 110.0)) == 50.0


@pytest.mark.parametrize("ref", [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_a_reference_that_spans_nothing_is_an_error(ref):
    with pytest.raises(ValueError, match="ref_min"):
        score("Hopper-v4", 1.0, ref)


@pytest.mark.parametrize("task", ["Ant-v5", "Walker2d-v5", "Hopper-v5", "HalfCheetah-v5", "Pendulum-v1", "Hopper"])
def test_a_task_without_a_reference_has_no_score(task):
    assert reference(task) is None and score(task, 1.0) is None
    assert not comparable(task)


def test_only_v4_and_its_equals_stand_beside_d4rl():
    assert all(comparable(f"Walker2d-{v}") for v in ("v2", "v3", "v4"))
    assert not comparable("Walker2d-v5")
