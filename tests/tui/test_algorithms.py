"""What the console knows of an algorithm is what the engine's table says."""

from __future__ import annotations

import pytest

from moore_engine.schema import ALGORITHMS
from moore_tui.runs import algorithms


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_stages_and_models_are_the_tables(algo: str) -> None:
    assert algorithms.stages(algo) == ALGORITHMS[algo].stages
    assert algorithms.has_models(algo) == ALGORITHMS[algo].models


@pytest.mark.parametrize("algo", [None, "fake"])
def test_an_algorithm_that_is_not_known_may_have_everything(algo: str | None) -> None:
    assert algorithms.stages(algo) == ("offline", "online") and algorithms.has_models(algo)
    assert algorithms.law(algo, "half_half") == "half_half"


def test_only_algorithms_with_a_sampler_draw_by_it() -> None:
    laws = {algo: algorithms.law(algo, "priority") for algo in ALGORITHMS if algo != "collect"}
    assert laws == {
        "moore": "priority", "mopo": "priority", "mbpo": "online_only", "awac": "uniform",
        "balanced_replay": "density ratio", "cql": "uniform",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("algo", "dataset", "told"),
    [
        ("moore", "a.hdf5", "500 rows of a.hdf5"),
        ("cql", "a.hdf5", "500 rows of a.hdf5"),
        ("mbpo", "a.hdf5", "from scratch, no rows of a.hdf5"),
        ("mbpo", "", "from scratch"),
        ("collect", "a.hdf5", "500 rows into a.hdf5"),
    ],
)
def test_rows_are_told_of_only_where_they_have_a_part_in_the_run(algo: str, dataset: str, told: str) -> None:
    assert algorithms.rows_of(algo, 500, dataset) == told
