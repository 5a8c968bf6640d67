"""Debiased exponential smoothing: s_n = (1 - w) sum_k w^(n-k) y_k / (1 - w^n) over the finite values so far.

Only the past counts, so a new point never moves a drawn one.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

BLOCK = 64


def smooth(y: np.ndarray, weight: float) -> np.ndarray:
    """`y` (n,) with each value replaced by the mean of the past, weighted by `weight` ** age; 0 leaves it as it is.

    What is not finite stays where it is and counts for nothing.
    """
    if weight <= 0.0 or not y.size:
        return y
    finite = np.isfinite(y)
    values = y[finite]
    count = values.size
    if not count:
        return y
    blocks = -(-count // BLOCK)
    padded = np.zeros((blocks, BLOCK))
    padded.flat[:count] = values
    kernel, decay = _kernel(weight)
    sums = padded @ kernel
    carry = 0.0
    for block in range(blocks):
        sums[block] += carry * decay
        carry = sums[block, -1]
    result = np.full(y.shape, np.nan)
    result[finite] = sums.ravel()[:count] / -np.expm1(np.arange(1, count + 1) * np.log(weight))
    result[~finite] = y[~finite]
    return result


@lru_cache(8)
def _kernel(weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (BLOCK, BLOCK) of a block's values in its own sums, and (BLOCK,) of the sum before the block."""
    age = np.arange(BLOCK)[None, :] - np.arange(BLOCK)[:, None]
    return np.where(age >= 0, (1.0 - weight) * weight ** np.maximum(age, 0), 0.0), weight ** np.arange(1.0, BLOCK + 1)
