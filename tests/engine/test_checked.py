"""Rows that are dropped leave the others in their order and take no second table."""

from __future__ import annotations

import numpy as np
import pytest

from moore_engine.data import checked, validate


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.0])
def test_the_rows_that_are_kept_move_to_the_front_of_the_same_memory(
    n: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "BLOCK", 64)
    rng = np.random.default_rng(0)
    table = rng.normal(size=(n, 5)).astype(np.float32)
    kept = rng.random(n) < share
    expected = table[kept]
    found = checked._kept(table, kept)
    assert np.array_equal(found, expected)
    assert found.flags.c_contiguous and (not found.size or np.shares_memory(found, table))
