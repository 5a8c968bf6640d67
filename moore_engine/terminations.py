"""Known termination functions: whether s' = `next_obs` ends an episode, from observations alone (MOPO, App. B).

Time limits are no part of it. A row with anything not finite in `next_obs` is ended in every task.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from moore_engine.trust import TrustError, load_function

Termination = Callable[[Tensor, Tensor, Tensor], Tensor]


class TerminationError(ValueError):
    """No termination function is known for a task, or a user's own is not trusted or cannot be found."""


def for_task(task: str, custom: str | None = None, trust_code: Collection[str] = ()) -> Termination:
    """The function (obs (n, obs_dim), action (n, action_dim), next_obs (n, obs_dim)) -> ended (n,) bool of `task`.

    `custom` goes first: the name of a function here ("hopper", "never"), or "pkg.module:function", which runs only if
    it is named in `trust_code`. Raises TerminationError.
    """
    if custom in _BY_NAME:
        return _BY_NAME[custom]
    if custom:
        try:
            return load_function("data.termination", custom, trust_code)
        except TrustError as error:
            raise TerminationError(str(error)) from error
    if task in _BY_TASK:
        return _BY_TASK[task]
    close = difflib.get_close_matches(task, _BY_TASK, n=1, cutoff=0.7)
    hint = f" (nearest: {close[0]})" if close else ""
    raise TerminationError(
        f"when {task!r} ends is not built in{hint}; give a function as data.termination = 'pkg.module:function'"
    )


def never(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """HalfCheetah, Swimmer, Reacher, Pusher, HumanoidStandup, Pendulum."""
    return _not_finite(next_obs)


def hopper(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Healthy iff z > 0.7, |angle| < 0.2 and |s'[1:]| < 100.

    Observed velocities are clipped to +-10, so Gymnasium's limit of 100 on them cannot be seen here; it can in a
    model's predictions, which nothing clips.
    """
    z, angle = next_obs[:, 0], next_obs[:, 1]
    healthy = (z > 0.7) & (angle.abs() < 0.2) & (next_obs[:, 1:].abs() < 100).all(dim=1)
    return ~healthy | _not_finite(next_obs)


def walker2d(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Healthy iff 0.8 < z < 2 and |angle| < 1."""
    z, angle = next_obs[:, 0], next_obs[:, 1]
    return ~((z > 0.8) & (z < 2.0) & (angle.abs() < 1.0)) | _not_finite(next_obs)


def ant(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Healthy iff 0.2 <= z <= 1, with or without contact forces in the observation."""
    z = next_obs[:, 0]
    return ~((z >= 0.2) & (z <= 1.0)) | _not_finite(next_obs)


def humanoid(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Healthy iff 1 < z < 2."""
    z = next_obs[:, 0]
    return ~((z > 1.0) & (z < 2.0)) | _not_finite(next_obs)


def inverted_pendulum(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Ended iff |angle| > 0.2 rad."""
    return (next_obs[:, 1].abs() > 0.2) | _not_finite(next_obs)


def inverted_double_pendulum(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Ended iff the tip's height, 0.6 cos(a) + 0.6 cos(a + b) m, is at most 1 m; a, b the two hinge angles.

    The observation is (x, sin a, sin b, cos a, cos b, ...). Gymnasium reads the height from the integrator's last
    stage: within 0.1 mm of the height of the state it returns.
    """
    sin_a, sin_b, cos_a, cos_b = next_obs[:, 1:5].unbind(dim=1)
    height = 0.6 * cos_a + 0.6 * (cos_a * cos_b - sin_a * sin_b)
    return (height <= 1.0) | _not_finite(next_obs)


def _not_finite(next_obs: Tensor) -> Tensor:
    return ~torch.isfinite(next_obs).all(dim=1)


_FAMILIES: dict[Termination, tuple[str, ...]] = {
    never: ("HalfCheetah", "Swimmer", "Reacher", "Pusher", "HumanoidStandup"),
    hopper: ("Hopper",),
    walker2d: ("Walker2d",),
    ant: ("Ant",),
    humanoid: ("Humanoid",),
    inverted_pendulum: ("InvertedPendulum",),
    inverted_double_pendulum: ("InvertedDoublePendulum",),
}
_BY_TASK: dict[str, Termination] = {
    f"{family}-{version}": function
    for function, families in _FAMILIES.items()
    for family in families
    for version in ("v4", "v5")
} | {"Pendulum-v1": never}
_BY_NAME: dict[str | None, Termination] = {function.__name__: function for function in _FAMILIES}
