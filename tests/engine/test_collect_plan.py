"""What each kind of data set consists of, how long that is, and what medium means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_engine import config
from moore_engine.collect.plan import Part, epochs, parts, target, trained_steps
from moore_engine.config import Config, ConfigError
from moore_engine.schema import Collect


def settings(*sets: str) -> Config:
    return config.resolve("collect", sets=sets).config


def kind(name: str, steps: int = 100, train_steps: int = 400) -> tuple[Part, ...]:
    return parts(Collect(kind=name, steps=steps, train_steps=train_steps))  # type: ignore[arg-type]


def test_random_has_no_training() -> None:
    assert kind("random") == (Part("uniform", 100, recorded=True),)
    assert trained_steps(kind("random")) == 0


def test_medium_is_frozen_where_the_target_is_reached_and_expert_at_the_end() -> None:
    assert kind("medium") == (Part("learning", 400, to_target=True), Part("frozen", 100, recorded=True))
    assert kind("expert") == (Part("learning", 400), Part("frozen", 100, recorded=True))


def test_a_replay_set_is_the_training_itself_and_at_most_as_long_as_asked() -> None:
    assert kind("medium-replay") == (Part("learning", 100, to_target=True, recorded=True),)


@given(st.integers(2, 10_001))
def test_medium_expert_shares_its_rows_between_two_policies_of_one_training(steps: int) -> None:
    medium, first, expert, second = kind("medium-expert", steps)
    assert (medium.to_target, expert.to_target) == (True, False)
    assert first.steps + second.steps == steps
    assert 0 <= second.steps - first.steps <= 1
    assert trained_steps((medium, first, expert, second)) == 400


@pytest.mark.parametrize(
    ("name", "expected"), [("random", 2), ("medium", 6), ("medium-replay", 2), ("expert", 6), ("medium-expert", 6)]
)
def test_epochs_cover_the_longest_training_and_the_rows(name: str, expected: int) -> None:
    sets = (f"collect.kind={name}", "collect.steps=200", "collect.train_steps=400", "online.steps_per_epoch=100")
    assert epochs(settings(*sets)) == expected


def test_medium_is_a_third_of_the_way_from_the_random_to_the_expert_return() -> None:
    assert target(settings("data.task=Hopper-v4")) == pytest.approx(-20.272305 + (3234.3 + 20.272305) / 3)


def test_the_rule_of_thumb_holds_in_every_version_of_the_task() -> None:
    assert target(settings("data.task=Hopper-v5")) == target(settings("data.task=Hopper-v4"))


def test_a_given_target_or_given_references_go_first() -> None:
    assert target(settings("data.task=Hopper-v4", "collect.target_return=500")) == 500.0
    assert target(settings("data.task=Hopper-v4", "data.ref_min=0", "data.ref_max=3000")) == pytest.approx(1000.0)


def test_no_target_means_none_even_where_there_are_references() -> None:
    assert target(settings("data.task=Hopper-v4", "collect.target_return=none")) is None


def test_without_references_auto_has_nothing_to_go_by() -> None:
    assert target(settings("data.task=Pendulum-v1")) is None


@pytest.mark.parametrize("name", ["medium", "medium-expert"])
def test_a_kind_that_stops_at_medium_needs_a_target(name: str) -> None:
    with pytest.raises(ConfigError, match="is medium"):
        settings(f"collect.kind={name}", "collect.target_return=none")


def test_a_set_of_two_policies_needs_two_rows() -> None:
    with pytest.raises(ConfigError, match="divided"):
        settings("collect.kind=medium-expert", "collect.steps=1")
