"""MOORe's Eqs. 9, 10 and 14 (Sec. 3.3): penalised MDPs of consecutive epochs, and the penalised return against the
task's. Where they fail as printed, and the bounds that hold. Numbers and derivations: docs/theory.md."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.tabular import (
    ROUNDING,
    Array,
    Compared,
    Sizes,
    Tabular,
    closeness,
    compared,
    evaluated,
    gap,
    l1,
    largest,
    mdps,
    mixed,
    moved,
    optimal,
    sizes,
    tables,
    uniform_kernel,
)

on_a_busy_machine = settings(suppress_health_check=[HealthCheck.too_slow])
"""For searches of large cases: how long a draw takes says nothing about them."""


@dataclass(frozen=True)
class Epochs:
    """Learned models, their learned rewards and uncertainties, epoch after epoch."""

    models: tuple[Tabular, ...]
    u: tuple[Array, ...]
    penalty_coef: float = 1.0

    def penalised(self) -> list[Tabular]:
        """The models with reward r~ = r^ - lambda u."""
        return [m.with_reward(m.r - self.penalty_coef * u) for m, u in zip(self.models, self.u, strict=True)]


@st.composite
def epochs(draw: st.DrawFn, count: int = 2) -> Epochs:
    size = draw(sizes)
    first = draw(mdps(size))
    others = [Tabular(draw(moved(first.p)), draw(tables(size)), first.gamma) for _ in range(count - 1)]
    u = [draw(tables(size, 0)) for _ in range(count)]
    return Epochs((first, *others), tuple(u), draw(st.sampled_from([0.5, 2.0])))


def constant(reward: float, *others: float) -> Tabular:
    """H = 10, one state, an action for each reward."""
    rewards = np.array([reward, *others])
    return Tabular(np.ones((10, 1, len(rewards), 1)), np.broadcast_to(rewards, (10, 1, len(rewards))))


# --- Eq. 9: optimal values of two epochs ---


@given(epochs())
def test_eq_9_holds_with_the_change_of_the_penalised_reward_added(pair: Epochs) -> None:
    one, two = pair.penalised()
    values = [optimal(mdp)[0] for mdp in (one, two)]
    assert gap(*values) <= closeness(one, two, min(map(largest, values))) + ROUNDING


@given(epochs())
def test_that_change_is_at_most_the_learned_rewards_and_lambda_times_the_uncertaintys(pair: Epochs) -> None:
    one, two = pair.penalised()
    parts = np.abs(pair.models[0].r - pair.models[1].r).max() + pair.penalty_coef * np.abs(pair.u[0] - pair.u[1]).max()
    assert np.abs(one.r - two.r).max() <= parts + ROUNDING


@pytest.mark.parametrize(
    ("learned", "u"), [((0.5, 0.5), (0.2, 0.1)), ((0.5, 0.6), (0.1, 0.1))], ids=["uncertainty", "learned reward"]
)
def test_eq_9_fails_as_printed_where_no_transition_changes(
    learned: tuple[float, float], u: tuple[float, float]
) -> None:
    """A gap of 1.0 and a bound of 0, by either part of the reward; the corrected bound is attained."""
    one, two = Epochs(tuple(map(constant, learned)), tuple(np.full((10, 1, 1), x) for x in u)).penalised()
    values = [optimal(mdp)[0] for mdp in (one, two)]
    assert gap(*values) == pytest.approx(1.0)
    assert closeness(one, two, largest(values[1]), reward=False) == 0.0
    assert closeness(one, two, largest(values[1])) == pytest.approx(1.0)


# --- Eq. 10: from epoch to epoch ---


def added_up(models: list[Tabular]) -> float:
    """The corrected bounds of every two consecutive epochs."""
    v_max = {id(mdp): largest(optimal(mdp)[0]) for mdp in models}
    return sum(closeness(one, two, min(v_max[id(one)], v_max[id(two)])) for one, two in itertools.pairwise(models))


def old_policys_loss(one: Tabular, two: Tabular) -> tuple[Array, float]:
    """What the first epoch's best policy loses in the second, by state, and twice the corrected bound."""
    values, policy = optimal(one)
    return optimal(two)[0][0] - evaluated(two, policy)[0], 2 * closeness(one, two, largest(values))


@on_a_busy_machine
@given(epochs(count=3))
def test_over_many_epochs_the_corrected_bounds_add_up(run: Epochs) -> None:
    models = run.penalised()
    assert gap(optimal(models[0])[0], optimal(models[-1])[0]) <= added_up(models) + ROUNDING


def test_the_sum_over_epochs_is_attained_and_0_as_printed() -> None:
    models = [constant(reward) for reward in (0.5, 0.6, 0.7)]
    assert gap(optimal(models[0])[0], optimal(models[-1])[0]) == pytest.approx(2.0) == pytest.approx(added_up(models))
    assert closeness(models[0], models[-1], 7.0, reward=False) == 0.0


@given(epochs())
def test_one_epochs_policy_loses_at_most_twice_the_corrected_bound_in_the_next(pair: Epochs) -> None:
    loss, bound = old_policys_loss(*pair.penalised())
    assert loss.min() >= -ROUNDING
    assert loss.max() <= bound + ROUNDING


def test_twice_the_bound_is_attained_and_0_as_printed() -> None:
    """Two actions as uncertain as each other; then the one that was taken more so by .1, the other less."""
    one, two = constant(0.8, 0.8), constant(0.7, 0.9)
    loss, bound = old_policys_loss(one, two)
    assert loss.max() == pytest.approx(2.0) == pytest.approx(bound)
    assert closeness(one, two, 8.0, reward=False) == 0.0


# --- Eq. 14: the penalised return against the task's ---


@st.composite
def covered(draw: st.DrawFn, *, equal_rewards: bool) -> tuple[Compared, Array]:
    """A policy in task and model, and a penalty (H, S, A) that covers the model's transitions: gamma |G|, exactly or
    by Lemma 2, and more."""
    pair = draw(compared(equal_rewards=equal_rewards))
    g = draw(st.sampled_from([np.abs(pair.g()), l1(pair.model, pair.task) * largest(pair.task_values)]))
    more = draw(st.sampled_from([0.0, 1.0])) * draw(tables(pair.task.r.shape, 0))
    return pair, pair.task.gamma * g + more


def assert_between(pair: Compared, penalty: Array, error: float = 0.0) -> None:
    """Penalised return <= return in the task <= penalised return + twice the penalty met in the model, to `error`."""
    in_model, in_task = pair.returns()
    penalised, met = in_model - pair.in_model(penalty), pair.in_model(penalty)
    assert penalised - error <= in_task + ROUNDING
    assert in_task <= penalised + 2 * met + error + ROUNDING


@given(covered(equal_rewards=True))
def test_eq_14_holds_where_the_reward_is_known(drawn: tuple[Compared, Array]) -> None:
    assert_between(*drawn)


@given(covered(equal_rewards=False))
def test_eq_14_holds_for_a_penalty_that_covers_the_learned_rewards_error_too(drawn: tuple[Compared, Array]) -> None:
    pair, penalty = drawn
    assert_between(pair, penalty + np.abs(pair.model.r - pair.task.r))


@given(covered(equal_rewards=False))
def test_eq_14_holds_to_h_times_the_learned_rewards_error(drawn: tuple[Compared, Array]) -> None:
    pair, penalty = drawn
    assert_between(pair, penalty, pair.task.horizon * float(np.abs(pair.model.r - pair.task.r).max()))


def test_eq_14_fails_as_printed_where_the_learned_reward_is_wrong() -> None:
    """Transitions known exactly, u = 0, r^ = .1 too high: a penalised return of 6.0 in a task worth 5.0."""
    pair = Compared(constant(0.5), constant(0.6), np.ones((10, 1, 1)), np.ones(1))
    assert l1(pair.model, pair.task).max() == 0.0
    assert pair.returns() == pytest.approx((6.0, 5.0))


@on_a_busy_machine
@given(st.data())
def test_the_next_policys_real_return_is_at_least_this_epochs_penalised_value_less_the_bound(
    data: st.DataObject,
) -> None:
    """What a smooth transfer needs, if the next epoch's penalty covers its model's errors for every policy."""
    size = data.draw(sizes)
    task = data.draw(mdps(size))
    model = task.with_kernel(data.draw(moved(task.p))).with_reward(data.draw(tables(size)))
    any_value = task.horizon * float(np.abs(task.r).max())
    two = model.with_reward(model.r - np.abs(model.r - task.r) - task.gamma * l1(model, task) * any_value)
    change = data.draw(st.sampled_from([0.0, 0.125, 1.0])) * data.draw(tables(size))
    one = two.with_kernel(data.draw(moved(two.p))).with_reward(two.r + change)
    before, (after, policy) = optimal(one)[0], optimal(two)
    bound = closeness(one, two, min(largest(before), largest(after)))
    assert (evaluated(task, policy)[0] >= before[0] - bound - ROUNDING).all()


# --- how often the printed forms fail ---


def failures(share: float, count: int = 100) -> tuple[int, int, int]:
    """In how many of `count` random cases Eqs. 9, 10 (loss of the old policy, with the 2) and 14 fail as printed.

    H = 10, 4 states, 2 actions, rewards uniform in [-1, 1]; both epochs' kernels differ from the task's by `share` of
    their mass, learned rewards by a uniform +-.1; u uniform in [0, .1], for Eq. 14 what covers the transitions;
    lambda = 1, V_max = max |V|.
    """
    rng, size = np.random.RandomState(0), (10, 4, 2)
    found = np.zeros(3, int)
    for _ in range(count):
        task = Tabular(uniform_kernel(rng, size), rng.uniform(-1, 1, size))
        models = tuple(learned(rng, task, share) for _ in range(2))
        one, two = Epochs(models, tuple(rng.uniform(0, 0.1, size) for _ in range(2))).penalised()
        (first, policy), (second, _) = optimal(one), optimal(two)
        printed = closeness(one, two, min(largest(first), largest(second)), reward=False)
        in_task = evaluated(task, policy)
        covered = models[0].r - l1(models[0], task) * largest(in_task)
        promised = evaluated(models[0].with_reward(covered), policy)
        found[0] += gap(first, second) > printed
        found[1] += (second[0] - evaluated(two, policy)[0]).max() > 2 * printed
        found[2] += (promised - in_task)[0].max() > 0
    return int(found[0]), int(found[1]), int(found[2])


def learned(rng: np.random.RandomState, task: Tabular, share: float) -> Tabular:
    size: Sizes = task.r.shape  # type: ignore[assignment]
    return Tabular(mixed(task.p, uniform_kernel(rng, size), share), task.r + rng.uniform(-0.1, 0.1, size))


@pytest.mark.parametrize(("share", "expected"), [(0.01, (0, 0, 1)), (0.003, (59, 0, 45)), (0.001, (97, 14, 76))])
def test_random_epochs_contradict_the_printed_forms_the_oftener_the_less_the_transitions_move(
    share: float, expected: tuple[int, int, int]
) -> None:
    assert failures(share) == expected
