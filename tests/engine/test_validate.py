"""The checks of a table before training: each finds its fault, names it, and is silent on sound data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moore_engine import terminations
from moore_engine.buffers import Layout
from moore_engine.data import validate
from moore_engine.data.transitions import DataError, episode_stats

LAYOUT = Layout(3, 2)
N = 500


def ends_at_half(obs: torch.Tensor, action: torch.Tensor, next_obs: torch.Tensor) -> torch.Tensor:
    return next_obs[:, 0] > 0.5


def sound(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A table with 50-row episodes, every other one ended where `ends_at_half` says; terminals; timeouts."""
    rng = np.random.default_rng(seed)
    stream = rng.uniform(-0.4, 0.4, (n + 1, 3))
    table = np.empty((n, LAYOUT.width), np.float32)
    table[:, LAYOUT.obs], table[:, LAYOUT.next_obs] = stream[:-1], stream[1:]
    table[:, LAYOUT.action] = rng.uniform(-1, 1, (n, 2))
    table[:, LAYOUT.reward] = rng.normal(size=(n, 1))
    terminals, timeouts = np.zeros(n, bool), np.zeros(n, bool)
    terminals[49::100], timeouts[99::100] = True, True
    table[terminals, LAYOUT.next_obs.start] = 0.75
    table[timeouts, LAYOUT.next_obs] += np.float32(0.01)
    table[:, LAYOUT.terminal] = terminals[:, None]
    return table, terminals, timeouts


def scale(table: np.ndarray, low: list[float], high: list[float]) -> None:
    validate.scale_actions("f", table, LAYOUT, validate.column_range(table), low, high)


def terminal_check(table: np.ndarray, terminals: np.ndarray, timeouts: np.ndarray, task: str = "Task-v1") -> list[str]:
    everywhere = np.ones(table.shape[0], bool)
    return validate.check_termination("f", task, table, LAYOUT, (terminals, timeouts), everywhere, ends_at_half)


def test_sound_data_passes_every_check_in_silence():
    table, terminals, timeouts = sound()
    span = validate.column_range(table)
    validate.check_finite("f", table, LAYOUT, span)
    scale(table, [-1, -1], [1, 1])
    ends = terminals | timeouts
    assert not validate.find_joins("f", table, LAYOUT, ends).any()
    assert not validate.ends_are_shifted(table, LAYOUT, ends)
    assert terminal_check(table, terminals, timeouts) == []
    assert validate.constant_columns("f", LAYOUT, span) == []


@pytest.mark.parametrize(
    "found, hint",
    [
        ((17, 6), "these are Walker2d-v4 or HalfCheetah-v4's"),
        ((4, 1), "these are InvertedPendulum-v4's"),
        ((99, 9), "choose the task the file was made with"),
    ],
)
def test_wrong_dimensions_say_both_and_guess_the_task(found, hint):
    message = f"has {found[0]} observation and {found[1]} action dimensions but Hopper-v4 has 11 and 3: {hint}"
    with pytest.raises(DataError, match=message):
        validate.check_dims("f", "Hopper-v4", found, (11, 3))
    validate.check_dims("f", "Hopper-v4", (11, 3), (11, 3))


def test_too_few_rows_are_refused():
    validate.check_row_count("f", validate.MIN_ROWS)
    with pytest.raises(DataError, match="holds 319 rows and at least 320 are needed"):
        validate.check_row_count("f", validate.MIN_ROWS - 1)


@pytest.mark.parametrize("bad", [2.0, -1.0, 0.5, np.nan])
def test_flags_other_than_0_and_1_name_the_first_row(bad):
    values = np.zeros((10, 1))
    values[[4, 6]] = bad
    with pytest.raises(DataError, match=rf"timeouts must be 0 or 1 but row 4 holds {bad} \(2 such rows\)"):
        validate.as_flags("f", "timeouts", values)
    assert validate.as_flags("f", "timeouts", np.array([0, 1, 1], np.uint8)).tolist() == [False, True, True]


@pytest.mark.parametrize("value, word", [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
@pytest.mark.parametrize(
    "key, column", [("observations", 1), ("actions", 3), ("next_observations", 7), ("rewards", 8), ("terminals", 9)]
)
def test_a_value_that_is_not_finite_names_key_first_row_and_count(key, column, value, word):
    table, *_ = sound()
    table[[7, 400], column] = value
    with pytest.raises(DataError, match=rf"{key} holds {word} first in row 7 \(2 such rows\)"):
        validate.check_finite("f", table, LAYOUT, validate.column_range(table))


def test_ranges_and_checks_hold_across_block_borders(monkeypatch):
    table, terminals, timeouts = sound()
    monkeypatch.setattr(validate, "BLOCK", 37)
    low, high = validate.column_range(table)
    np.testing.assert_array_equal(low, table.min(axis=0))
    np.testing.assert_array_equal(high, table.max(axis=0))
    assert not validate.find_joins("f", table, LAYOUT, terminals | timeouts).any()
    assert terminal_check(table, terminals, timeouts) == []
    moved = table.copy()
    moved[36, LAYOUT.next_obs] += 1
    assert np.flatnonzero(validate.find_joins("f", moved, LAYOUT, terminals | timeouts)).tolist() == [36]


def test_actions_outside_the_bounds_name_row_value_and_bounds():
    table, *_ = sound()
    table[12, LAYOUT.action] = [0.0, 1.5]
    table[13, LAYOUT.action] = [-1.01, 0.0]
    with pytest.raises(
        DataError, match=r"action 1 of row 12 is 1.5, outside the task's bounds \[-1, 1\] \(2 such rows\)"
    ):
        scale(table, [-1, -1], [1, 1])


def test_actions_are_scaled_to_one_and_rounding_beyond_the_bounds_is_clipped():
    table, *_ = sound()
    table[0, LAYOUT.action] = [3, 1]
    table[1, LAYOUT.action] = [-1 - 5e-7, 3 + 5e-7]
    table[2:, LAYOUT.action] = [1.5, 2.0]
    scale(table, [-1, 1], [3, 3])
    np.testing.assert_allclose(table[:3, LAYOUT.action], [[1, -1], [-1, 1], [0.25, 0]])
    assert np.abs(table[:, LAYOUT.action]).max() == 1
    table[0, LAYOUT.action] = np.nextafter(np.float32(1), np.float32(2))
    scale(table, [-1, -1], [1, 1])
    assert table[0, LAYOUT.action].tolist() == [1, 1]


def test_actions_within_symmetric_bounds_are_not_rounded():
    table, *_ = sound()
    before = table.copy()
    scale(table, [-1, -1], [1, 1])
    np.testing.assert_array_equal(table, before)


def test_a_few_unmarked_joins_are_found_and_rounding_is_none():
    table, terminals, timeouts = sound()
    ends = terminals | timeouts
    table[:, LAYOUT.next_obs] *= np.float32(1 + 1e-5)
    table[[30, 330], LAYOUT.next_obs] += np.float32(0.3)
    assert np.flatnonzero(validate.find_joins("f", table, LAYOUT, ends)).tolist() == [30, 330]


@pytest.mark.parametrize("fault", ["shuffled", "off by one"])
def test_shuffled_or_misaligned_rows_are_refused(fault):
    table, terminals, timeouts = sound()
    if fault == "shuffled":
        order = np.random.default_rng(0).permutation(N)
        table, terminals, timeouts = table[order], terminals[order], timeouts[order]
    else:
        table[:, LAYOUT.next_obs] = np.roll(table[:, LAYOUT.next_obs], 1, axis=0)
    with pytest.raises(DataError, match=r"differ from the next row's observations on \d+ of 4\d\d rows .* misaligned"):
        validate.find_joins("f", table, LAYOUT, terminals | timeouts)


def test_next_observations_made_by_shifting_are_found():
    table, terminals, timeouts = sound()
    table[:-1, LAYOUT.next_obs] = table[1:, LAYOUT.obs]
    assert validate.ends_are_shifted(table, LAYOUT, terminals | timeouts)
    assert not validate.ends_are_shifted(table, LAYOUT, np.zeros(N, bool)), "no end, nothing to tell"


def test_a_fall_on_the_last_step_allowed_is_stored_as_a_time_out_and_no_mismatch():
    table, terminals, timeouts = sound()
    table[timeouts, LAYOUT.next_obs.start] = 0.75
    assert terminal_check(table, terminals, timeouts) == []


def test_a_small_share_of_wrong_terminals_warns():
    table, terminals, timeouts = sound()
    table[[10, 20], LAYOUT.next_obs.start] = 0.9
    (text,) = terminal_check(table, terminals, timeouts)
    assert "on 2 of 495 rows (0.40%): 0 terminal rows do not end it and 2 rows that should end it go on" in text
    assert "first: row 10" in text


def test_a_large_share_of_wrong_terminals_is_an_error():
    table, terminals, timeouts = sound()
    table[100:140, LAYOUT.next_obs.start] = 0.9
    with pytest.raises(DataError, match=r"40 rows that should end it go on .*: the file is of another task"):
        terminal_check(table, terminals, timeouts)


def test_time_outs_marked_as_terminals_are_an_error_however_few():
    table, terminals, timeouts = sound(20_000)
    wrong = np.zeros_like(terminals)
    wrong[999::1000] = timeouts[999::1000]
    table[terminals, LAYOUT.next_obs.start] = 0.1
    with pytest.raises(DataError, match=r"20 terminal rows do not end it and 0 rows .* marks time-outs as terminals"):
        terminal_check(table, wrong, timeouts & ~wrong)


def test_rows_whose_successor_is_unknown_are_not_asked():
    table, terminals, timeouts = sound()
    table[100:140, LAYOUT.next_obs.start] = 0.9
    usable = np.ones(N, bool)
    usable[100:140] = False
    both = (terminals, timeouts)
    assert validate.check_termination("f", "Task-v1", table, LAYOUT, both, usable, ends_at_half) == []


def test_hopper_rows_that_go_on_below_the_healthy_height_are_an_error():
    """A public file of noise under a hopper data set's name is told by z <= 0.7 on rows that do not end."""
    layout = Layout(11, 3)
    table = np.random.default_rng(0).normal(size=(400, layout.width)).astype(np.float32)
    flags = np.zeros(400, bool)
    with pytest.raises(DataError, match=r"disagree with when Hopper-v4 ends .* \(first: row \d+, z = "):
        validate.check_termination(
            "f", "Hopper-v4", table, layout, (flags, flags), ~flags, terminations.for_task("Hopper-v4")
        )


def test_constant_columns_warn_by_key_and_column():
    table, *_ = sound()
    table[:, [0, 2, 4, 8]] = 1.0
    texts = validate.constant_columns("f", LAYOUT, validate.column_range(table))
    assert texts == [
        "f: observations column 0, 2 never changes.",
        "f: actions column 1 never changes.",
        "f: rewards never change.",
    ]


def test_episode_stats_of_hand_made_episodes():
    rewards = np.array([1, 2, 3, 4, 5, 6], np.float32)
    ends = np.array([0, 1, 0, 0, 1, 0], bool)
    returns, lengths = episode_stats(rewards, ends)
    assert returns.tolist() == [3, 12] and lengths.tolist() == [2, 3]
    returns, lengths = episode_stats(rewards, np.zeros(6, bool))
    assert returns.tolist() == [21] and lengths.tolist() == [6]
