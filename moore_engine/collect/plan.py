"""D4RL's kinds of data sets as stretches of environment steps (Fu et al. 2020, App. C).

random         uniform actions
medium         SAC until an evaluation reaches the target return, then its stochastic policy
medium-replay  SAC's replay buffer up to there
expert         SAC to the end of its training, then its stochastic policy
medium-expert  one SAC: its medium policy, then, trained on, its expert policy; half the rows each
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

from moore_engine import scores
from moore_engine.config import Config
from moore_engine.schema import Collect


@dataclass(frozen=True)
class Part:
    """One stretch: who acts, when it ends, whether its rows belong to the set.

    `learning` ends when SAC has been trained for `steps` environment steps of the whole run, or with `to_target` by an
    evaluation that reaches the target; `uniform` and `frozen` end with the first episode that ends at `steps` or later.
    """

    policy: Literal["learning", "uniform", "frozen"]
    steps: int
    to_target: bool = False
    recorded: bool = False


def parts(collect: Collect) -> tuple[Part, ...]:
    """The stretches of a kind, in order."""
    whole, half = collect.steps, collect.steps // 2
    medium = Part("learning", collect.train_steps, to_target=True)
    expert = Part("learning", collect.train_steps)
    kinds = {
        "random": (Part("uniform", whole, recorded=True),),
        "medium": (medium, Part("frozen", whole, recorded=True)),
        "medium-replay": (Part("learning", whole, to_target=True, recorded=True),),
        "expert": (expert, Part("frozen", whole, recorded=True)),
        "medium-expert": (
            medium, Part("frozen", half, recorded=True), expert, Part("frozen", whole - half, recorded=True),
        ),
    }  # fmt: skip
    return kinds[collect.kind]


def trained_steps(plan: tuple[Part, ...]) -> int:
    """Most environment steps that SAC learns from."""
    return max((part.steps for part in plan if part.policy == "learning"), default=0)


def epochs(config: Config) -> int:
    """About how many epochs a collection has at most: each stretch ends one."""
    plan, each = parts(config.collect), config.online.steps_per_epoch
    return ceil(trained_steps(plan) / each) + sum(ceil(part.steps / each) for part in plan if part.policy != "learning")


def target(config: Config) -> float | None:
    """The return at which SAC is medium; None for "none", and where "auto" has nothing to go by.

    "auto" is a third of the way between the reference returns: the data section's own, else those of the task's family
    in any version.
    """
    collect, data = config.collect, config.data
    if isinstance(collect.target_return, float):
        return collect.target_return
    low, high = data.ref_min, data.ref_max
    if low is None or high is None:
        low, high = scores.family(data.task) or (None, None)
    if collect.target_return == "none" or low is None or high is None:
        return None
    return low + (high - low) / 3
