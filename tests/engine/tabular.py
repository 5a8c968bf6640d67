"""Finite-horizon tabular MDPs and exact dynamic programming in them.

Steps are h = 0..H-1; what is worth nothing comes at H. Kernels may differ from step to step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROUNDING = 1e-9


@dataclass(frozen=True)
class Tabular:
    """p (H, S, A, S) probabilities of the next state, r (H, S, A) rewards, discount gamma in (0, 1]."""

    p: Array
    r: Array
    gamma: float = 1.0

    @property
    def horizon(self) -> int:
        return len(self.r)

    def with_reward(self, r: Array) -> Tabular:
        return replace(self, r=r)

    def with_kernel(self, p: Array) -> Tabular:
        return replace(self, p=p)


def action_values(mdp: Tabular, h: int, after: Array) -> Array:
    """Q (S, A) at step h, if the next state is worth `after` (S,)."""
    return mdp.r[h] + mdp.gamma * mdp.p[h] @ after


def optimal(mdp: Tabular) -> tuple[Array, Array]:
    """V* (H + 1, S), and the policy (H, S, A) of probabilities that is greedy in it."""
    states, actions = mdp.r.shape[1:]
    values, policy = np.zeros((mdp.horizon + 1, states)), np.zeros(mdp.r.shape)
    for h in reversed(range(mdp.horizon)):
        q = action_values(mdp, h, values[h + 1])
        values[h], policy[h] = q.max(1), np.eye(actions)[q.argmax(1)]
    return values, policy


def evaluated(mdp: Tabular, policy: Array) -> Array:
    """V of a policy (H, S, A): (H + 1, S)."""
    values = np.zeros((mdp.horizon + 1, mdp.r.shape[1]))
    for h in reversed(range(mdp.horizon)):
        values[h] = (policy[h] * action_values(mdp, h, values[h + 1])).sum(1)
    return values


def occupancy(mdp: Tabular, policy: Array, start: Array) -> tuple[Array, Array]:
    """Probabilities of (s, a) at each step (H, S, A), and of s, the end's too (H + 1, S), from `start` (S,)."""
    states, pairs = [start], []
    for h in range(mdp.horizon):
        pairs.append(states[-1][:, None] * policy[h])
        states.append(np.einsum("sa,sat->t", pairs[-1], mdp.p[h]))
    return np.array(pairs), np.array(states)


def l1(one: Tabular, two: Tabular) -> Array:
    """sum over s' of |p_1 - p_2|: (H, S, A). D_l1 is its maximum."""
    return np.abs(one.p - two.p).sum(-1)


def largest(values: Array) -> float:
    """V_max as the theorems need it: max |V|."""
    return float(np.abs(values).max())


def span(values: Array) -> float:
    """max V - min V."""
    return float(values.max() - values.min())


def gap(one: Array, two: Array) -> float:
    """||V_1 - V_2|| at step 0."""
    return float(np.abs(one[0] - two[0]).max())


def closeness(one: Tabular, two: Tabular, v_max: float, *, reward: bool = True) -> float:
    """H (D_l1 V_max + max |r_1 - r_2|): Theorem 1's bound and what unequal rewards add to it."""
    added = float(np.abs(one.r - two.r).max()) if reward else 0.0
    return one.horizon * (float(l1(one, two).max()) * v_max + added)


@dataclass(frozen=True)
class Compared:
    """A policy from `start` in the task and in a model of it."""

    task: Tabular
    model: Tabular
    policy: Array
    start: Array

    @property
    def task_values(self) -> Array:
        return evaluated(self.task, self.policy)

    def returns(self) -> tuple[float, float]:
        """In the model, in the task."""
        in_model = evaluated(self.model, self.policy)
        return float(self.start @ in_model[0]), float(self.start @ self.task_values[0])

    def g(self) -> Array:
        """G (H, S, A): what the next state is worth in the task, where the model leads less where the task does."""
        return np.einsum("hsat,ht->hsa", self.model.p - self.task.p, self.task_values[1:])

    def in_model(self, table: Array) -> float:
        """Discounted sum of `table` (H, S, A) over the pairs that the policy visits in the model."""
        pairs, _ = occupancy(self.model, self.policy, self.start)
        discount = self.model.gamma ** np.arange(len(table))
        return float((discount[:, None, None] * pairs * table).sum())


# --- what the searches draw ---

Sizes = tuple[int, int, int]
"""H, S, A"""

sizes = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))


def whole_numbers(*shape: int) -> st.SearchStrategy[Array]:
    """0 to 255; one draw of bytes, so that a search is quick and still ends at the simplest case."""
    count = int(np.prod(shape))
    drawn = st.binary(min_size=count, max_size=count)
    return drawn.map(lambda content: np.frombuffer(content, np.uint8).reshape(shape).astype(float))


def simplex(*shape: int) -> st.SearchStrategy[Array]:
    """Probabilities over the last axis, in simple fractions, zeros and ones among them."""

    def normalised(numbers: Array) -> Array:
        weights = numbers % 5
        weights[weights.sum(-1) == 0, 0] = 1
        return weights / weights.sum(-1, keepdims=True)

    return whole_numbers(*shape).map(normalised)


@st.composite
def moved(draw: st.DrawFn, kernel: Array) -> Array:
    """Another kernel, or one near `kernel`, or `kernel` itself."""
    return mixed(kernel, draw(simplex(*kernel.shape)), draw(st.sampled_from([0.0, 0.05, 1.0])))


def tables(size: tuple[int, ...], low: int = -8) -> st.SearchStrategy[Array]:
    """(H, S, A) eighths between low / 8 and 1: rewards or penalties."""
    return whole_numbers(*size).map(lambda numbers: (numbers % (9 - low) + low) / 8)


@st.composite
def mdps(draw: st.DrawFn, size: Sizes, low: int = -8) -> Tabular:
    """Rewards of at least low / 8."""
    gamma = draw(st.sampled_from([1.0, 0.9, 0.5]))
    return Tabular(draw(simplex(*size, size[1])), draw(tables(size, low)), gamma)


@st.composite
def compared(draw: st.DrawFn, *, equal_rewards: bool, low: int = -8) -> Compared:
    size = draw(sizes)
    task = draw(mdps(size, low))
    model = task.with_kernel(draw(moved(task.p)))
    if not equal_rewards:
        model = model.with_reward(draw(tables(size)))
    return Compared(task, model, draw(simplex(*size)), draw(simplex(1, size[1]))[0])


def mixed(kernel: Array, other: Array, share: float) -> Array:
    """`kernel` with `share` of every row's mass moved to `other`."""
    return (1 - share) * kernel + share * other


def uniform_kernel(rng: np.random.RandomState, size: Sizes) -> Array:
    """Rows uniform on the simplex. RandomState's streams are frozen, so that what they give can be written down."""
    weights = -np.log(rng.random_sample((*size, size[1])))
    return weights / weights.sum(-1, keepdims=True)
