"""Debiased exponential smoothing: s_n = (1 - w) sum_k w^(n-k) y_k / (1 - w^n) over the finite values so far.

Only the past counts, so a new point never moves a drawn one.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

BLOCK = 64


def smooth(y: np.ndarray, weight: float) -> np.ndarray:
    """`y` (n,) with each value replaced by the mean of its past, weighted by `weight` ** age; 0 leaves it as it is.

    What is not finite stays where it is and counts for nothing.
    """
    finite = np.isfinite(y)
    values = y[finite]
    if weight <= 0.0 or not values.size:
        return y
    blocks = -(-values.size // BLOCK)
    padded = np.zeros((blocks, BLOCK))
    padded.ravel()[: values.size] = values
    kernel, decay = _kernel(weight)
    sums = padded @ kernel
    carry, carries = 0.0, []
    for last in sums[:, -1].tolist():
        carries.append(carry)
        carry = carry * decay[-1] + last
    sums += np.array(carries)[:, None] * decay
    smoothed = sums.ravel()[: values.size]
    biased = min(values.size, math.ceil(math.log(1e-17) / math.log(weight)))
    smoothed[:biased] /= -np.expm1(np.arange(1, biased + 1) * math.log(weight))
    if smoothed.size == y.size:
        return smoothed
    result = y.copy()
    result[finite] = smoothed
    return result


@lru_cache(8)
def _kernel(weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (BLOCK, BLOCK) of a block's values in its own sums, and (BLOCK,) of the sum before the block."""
    age = np.arange(BLOCK)[None, :] - np.arange(BLOCK)[:, None]
    return np.where(age >= 0, (1.0 - weight) * weight ** np.maximum(age, 0), 0.0), weight ** np.arange(1.0, BLOCK + 1)
