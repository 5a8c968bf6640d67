"""Short model rollouts with the uncertainty penalty: MOPO, Algorithm 2; the uncertainty study of MOORe, Sec. 4.3."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from moore_engine.buffers import Layout
from moore_engine.dynamics import Dynamics

PolicyAct = Callable[[Tensor], Tensor]
Termination = Callable[[Tensor, Tensor, Tensor], Tensor]


def rollout(
    dynamics: Dynamics,
    policy_act: PolicyAct,
    starts: Tensor,
    *,
    length: int,
    penalty_coef: float,
    termination: Termination,
    layout: Layout,
    generator: torch.Generator,
    chunk: int = 1024,
    tick: Callable[[], None] = lambda: None,
) -> tuple[Tensor, dict[str, float]]:
    """Roll `length` steps from each start (R, obs_dim); returns table rows (k, width), k <= R length, and statistics.

    Each step every row takes mean + std * noise of an elite drawn for it; its stored reward is r - penalty_coef * u. A
    row that is terminal is stored and leaves. A row in which anything is not finite leaves and is not stored, nor is it
    in any statistic but `dropped`: its trajectory ends, as by a time-out, with the row before. tick() after each chunk
    of starts. Statistics: n, mean, p20, p80 of u, means reward_raw and reward_penalised (NaN when n = 0), dropped.
    """
    rows = torch.empty(starts.shape[0] * length, layout.width, device=starts.device, dtype=starts.dtype)
    penalties = torch.empty(rows.shape[0], device=starts.device, dtype=starts.dtype)
    filled = dropped = 0
    for obs in starts.split(chunk):
        for _ in range(length):
            if obs.shape[0] == 0:
                break
            action = policy_act(obs)
            next_obs, reward, u = step(dynamics, obs, action, generator)
            block = rows[filled : filled + obs.shape[0]]
            block[:, layout.obs] = obs
            block[:, layout.action] = action
            block[:, layout.next_obs] = next_obs
            block[:, layout.reward] = (reward - penalty_coef * u)[:, None]
            block[:, layout.terminal] = 0.0
            finite = (block * 0.0).sum(1) == 0.0
            if not finite.all():
                kept = block[finite]
                dropped += obs.shape[0] - kept.shape[0]
                block, u = rows[filled : filled + kept.shape[0]].copy_(kept), u[finite]
            next_obs = block[:, layout.next_obs]
            ended = termination(block[:, layout.obs], block[:, layout.action], next_obs)
            block[:, layout.terminal] = ended[:, None].to(block.dtype)
            penalties[filled : filled + block.shape[0]] = u
            filled += block.shape[0]
            obs = next_obs[~ended]
        tick()
    rows, penalties = rows[:filled], penalties[:filled]
    return rows, _statistics(rows[:, layout.reward], penalties, penalty_coef, dropped)


def step(dynamics: Dynamics, obs: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """One model step of (n, obs_dim): next_obs (n, obs_dim), reward (n,) sampled from a random elite a row, u (n,)."""
    mean, std = dynamics.predict(obs, action)
    u = dynamics.uncertainty(mean, std)
    count, elites = obs.shape[0], dynamics.elites
    pick = elites[torch.randint(len(elites), (count,), generator=generator, device=obs.device)]
    row = torch.arange(count, device=obs.device)
    noise = torch.randn(count, mean.shape[2], generator=generator, device=obs.device, dtype=mean.dtype)
    sample = mean[pick, row] + std[pick, row] * noise
    return obs + sample[:, :-1], sample[:, -1], u


def uncertainty_and_reward(
    dynamics: Dynamics,
    policy_act: PolicyAct,
    starts: Tensor,
    *,
    length: int,
    termination: Termination,
    layout: Layout,
    generator: torch.Generator,
    chunk: int = 1024,
    tick: Callable[[], None] = lambda: None,
) -> tuple[float, float]:
    """U and eta: means of u and of the unpenalised learned reward over rollouts from `starts` (MOORe, Sec. 4.3).

    Call it under the models of epochs t and t + 1 with the same starts, policy and generator key.
    """
    _, stats = rollout(
        dynamics,
        policy_act,
        starts,
        length=length,
        penalty_coef=0.0,
        termination=termination,
        layout=layout,
        generator=generator,
        chunk=chunk,
        tick=tick,
    )
    return stats["mean"], stats["reward_raw"]


def relative_uncertainty_error(u_before: float, u_after: float, eta: float) -> float:
    """|U_t - U_{t+1}| / |eta_t|; inf when eta is 0 and the two U differ (MOORe, Sec. 4.3)."""
    gap = abs(u_before - u_after)
    if eta == 0.0:
        return float("inf") if gap > 0.0 else 0.0
    return gap / abs(eta)


def _statistics(rewards: Tensor, u: Tensor, penalty_coef: float, dropped: int) -> dict[str, float]:
    nan = float("nan")
    if len(u) == 0:
        names = ("mean", "p20", "p80", "reward_raw", "reward_penalised")
        return dict.fromkeys(names, nan) | {"n": 0, "dropped": dropped}
    ranked = u.sort().values
    mean, penalised = float(u.double().mean()), float(rewards.double().mean())
    return {
        "mean": mean,
        "p20": _percentile(ranked, 0.2),
        "p80": _percentile(ranked, 0.8),
        "reward_raw": penalised + penalty_coef * mean,
        "reward_penalised": penalised,
        "n": len(u),
        "dropped": dropped,
    }


def _percentile(ranked: Tensor, q: float) -> float:
    """The q-quantile of sorted values, linear between ranks; torch.quantile refuses more than 2^24 of them."""
    place = q * (len(ranked) - 1)
    low = int(place)
    low_value, high_value = ranked[low : low + 2].tolist() if low + 1 < len(ranked) else [float(ranked[low])] * 2
    return low_value + (place - low) * (high_value - low_value)
