"""MOORe's Theorem 1, Lemma 1 and Lemma 2 (Sec. 3.3 and appendix), by exact dynamic programming: the conditions under
which they hold. Numbers and derivations: docs/theory.md."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.tabular import (
    ROUNDING,
    Compared,
    Tabular,
    closeness,
    compared,
    evaluated,
    gap,
    l1,
    largest,
    mdps,
    moved,
    occupancy,
    optimal,
    simplex,
    sizes,
    span,
)

# --- the dynamic programming itself ---


@given(st.data())
def test_the_optimal_value_is_the_best_of_all_policies_tried_one_by_one(data: st.DataObject) -> None:
    mdp = data.draw(mdps((2, 2, 2)))
    best = np.full(2, -np.inf)
    for choice in itertools.product(range(2), repeat=4):
        policy = np.eye(2)[np.array(choice).reshape(2, 2)]
        best = np.maximum(best, evaluated(mdp, policy)[0])
    values, greedy = optimal(mdp)
    assert values[0] == pytest.approx(best)
    assert evaluated(mdp, greedy) == pytest.approx(values)


@given(st.data())
def test_a_policys_value_is_the_reward_of_the_pairs_it_visits(data: st.DataObject) -> None:
    size = data.draw(sizes)
    mdp, policy = data.draw(mdps(size)), data.draw(simplex(*size))
    start = data.draw(simplex(1, size[1]))[0]
    pairs, _ = occupancy(mdp, policy, start)
    discount = mdp.gamma ** np.arange(size[0])
    assert start @ evaluated(mdp, policy)[0] == pytest.approx((discount[:, None, None] * pairs * mdp.r).sum())


# --- Theorem 1 (Eq. 7): equal rewards ---


@given(st.data())
def test_theorem_1_holds_with_the_largest_absolute_value(data: st.DataObject) -> None:
    size = data.draw(sizes)
    one = data.draw(mdps(size))
    two = one.with_kernel(data.draw(moved(one.p)))
    values = [optimal(mdp)[0] for mdp in (one, two)]
    v_max = min(map(largest, values))  # either MDP's serves
    assert gap(*values) <= closeness(one, two, v_max) + ROUNDING


@given(st.data())
def test_theorem_1_holds_in_a_sharper_form(data: st.DataObject) -> None:
    """Step by step: half of D_l1 there, times max V - min V of the step after, discounted."""
    size = data.draw(sizes)
    one = data.draw(mdps(size))
    two = one.with_kernel(data.draw(moved(one.p)))
    first, second = (optimal(mdp)[0] for mdp in (one, two))
    distance = l1(one, two).max((1, 2))
    bound = sum(one.gamma ** (h + 1) * distance[h] / 2 * span(first[h + 1]) for h in range(size[0]))
    assert gap(first, second) <= bound + ROUNDING


def test_the_sharper_form_is_attained() -> None:
    """The next state is worth 1 in one MDP and -1 in the other."""
    one, two = sure_step(0), sure_step(1)
    values = optimal(one)[0]
    assert gap(values, optimal(two)[0]) == 2.0 == l1(one, two)[0].max() / 2 * span(values[1])


def sure_step(state: int) -> Tabular:
    """Two steps: a sure move to `state`, then a reward of +1 in state 0 and of -1 in state 1."""
    p = np.zeros((2, 2, 1, 2))
    p[..., state] = 1.0
    return Tabular(p, np.array([[[0.0], [0.0]], [[1.0], [-1.0]]]))


def leaking(leak: float) -> Tabular:
    """H = 10. State 0 costs 1 a step and leaks into state 1, worth 0; state 2, apart from them, is worth 1 in all."""
    p = np.broadcast_to(np.array([[1 - leak, leak, 0.0], [0, 1, 0], [0, 0, 1]])[:, None], (10, 3, 1, 3))
    return Tabular(p, np.broadcast_to(np.array([-1.0, 0.0, 0.1])[:, None], (10, 3, 1)))


def test_theorem_1_fails_with_the_signed_maximum_as_printed() -> None:
    """A gap of .438, a bound of .20; and of 0 if the state apart is worth nothing either."""
    one, two = leaking(0.0), leaking(0.01)
    values = [optimal(mdp)[0] for mdp in (one, two)]
    signed = max(float(v.max()) for v in values)
    assert gap(*values) == pytest.approx(10 - (1 - 0.99**10) / 0.01) == pytest.approx(0.438, abs=5e-4)
    assert signed == pytest.approx(1.0)
    assert closeness(one, two, signed) == pytest.approx(0.20)
    assert closeness(one, two, largest(values[0])) == pytest.approx(2.0)


# --- Lemma 1 (Eqs. 19, 20): a policy's return in the model against its return in the task ---


def switched(pair: Compared, steps: int) -> float:
    """Return of `steps` steps in the model and the rest in the task, from its definition."""
    pairs, states = occupancy(pair.model, pair.policy, pair.start)
    first = sum(pair.model.gamma**h * (pairs[h] * pair.model.r[h]).sum() for h in range(steps))
    return float(first + pair.model.gamma**steps * states[steps] @ pair.task_values[steps])


@given(compared(equal_rewards=True))
def test_lemma_1_telescopes_over_the_step_at_which_the_model_is_left(pair: Compared) -> None:
    """Eq. 19: the gap of returns is the sum of W_j+1 - W_j; W_H and W_0 are the returns in model and task."""
    in_model, in_task = pair.returns()
    w = [switched(pair, j) for j in range(pair.task.horizon + 1)]
    assert (w[-1], w[0]) == pytest.approx((in_model, in_task))
    assert sum(np.diff(w)) == pytest.approx(in_model - in_task)


@given(compared(equal_rewards=True))
def test_each_term_of_lemma_1_is_the_mean_of_g_at_that_step_in_the_model(pair: Compared) -> None:
    """Eq. 20: W_j+1 - W_j = gamma^(j+1) E[G_j], the mean over the pairs visited in the model."""
    pairs, _ = occupancy(pair.model, pair.policy, pair.start)
    g = pair.g()
    for j in range(pair.task.horizon):
        term = pair.task.gamma ** (j + 1) * (pairs[j] * g[j]).sum()
        assert switched(pair, j + 1) - switched(pair, j) == pytest.approx(term)


@given(compared(equal_rewards=False))
def test_with_a_learned_reward_lemma_1_gains_its_error(pair: Compared) -> None:
    in_model, in_task = pair.returns()
    error = pair.model.r - pair.task.r
    assert in_model - in_task == pytest.approx(pair.in_model(error + pair.task.gamma * pair.g()))


# --- Lemma 2 (Eqs. 11-13): |G| by the models' distance ---


@given(compared(equal_rewards=True))
def test_lemma_2_bounds_g_by_the_distance_times_the_largest_absolute_value(pair: Compared) -> None:
    """Eqs. 11, 12: |G| = |sum (p^ - p) V| <= sum |p^ - p| max |V|."""
    assert (np.abs(pair.g()) <= l1(pair.model, pair.task) * largest(pair.task_values) + ROUNDING).all()


@given(compared(equal_rewards=True, low=0))
def test_lemma_2_may_halve_it_where_no_value_is_negative(pair: Compared) -> None:
    """Eq. 13."""
    assert (np.abs(pair.g()) <= l1(pair.model, pair.task) * float(pair.task_values.max()) / 2 + ROUNDING).all()


@given(compared(equal_rewards=True))
def test_elsewhere_the_half_goes_with_the_span(pair: Compared) -> None:
    spans = np.array([span(values) for values in pair.task_values[1:]])
    assert (np.abs(pair.g()) <= l1(pair.model, pair.task) * spans[:, None, None] / 2 + ROUNDING).all()


def test_the_half_fails_for_values_of_both_signs_and_the_span_is_attained() -> None:
    pair = Compared(sure_step(1), sure_step(0), np.ones((2, 2, 1)), np.array([1.0, 0.0]))
    g, distance = float(pair.g()[0].max()), float(l1(pair.model, pair.task).max())
    assert (g, distance) == (2.0, 2.0)
    assert g > distance * largest(pair.task_values) / 2
    assert g == distance * span(pair.task_values[1]) / 2
