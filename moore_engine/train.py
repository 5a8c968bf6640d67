"""The one loop of every algorithm: offline epochs on D_off, then MOORe's Algorithm 1 online, with its line numbers.

Algorithms without models skip the fits and rollouts. Every decision reads the counters alone, so the loop goes on from
any state saved at a tick.
"""

from __future__ import annotations

import numpy as np
import torch

from moore_engine.algorithms.base import ModelBased
from moore_engine.phases import LOSS_EVERY, Desk, begin, end, evaluate
from moore_engine.streams import stream_seed
from moore_engine.training import Training


def train(run: Training, desk: Desk) -> None:
    """Run from wherever the counters stand to the end; what is left needs no D_model."""
    if run.counters.finished:
        return
    if run.counters.stage == "offline":
        offline(run, desk)
        if "online" in run.stages:
            switch(run, desk)
    if run.counters.stage == "online":
        online(run, desk)
    run.counters.finished = True
    desk.save(drop=("model_rows",), keep=1)


def offline(run: Training, desk: Desk) -> None:
    """One fit of the models, then epochs of rollouts and updates (Algorithm 1, lines 1-2)."""
    c, algo = run.counters, run.algo
    if isinstance(algo, ModelBased) and c.fits == 0:
        fit(run, algo, desk)
    while begin_epoch(run, desk) <= run.config.offline.epochs:
        every, total = run.config.offline.rollout_every, run.config.offline.updates_per_epoch
        while c.epoch_update < total:
            if isinstance(algo, ModelBased) and c.epoch_update % every == 0 and c.rolled_at != c.epoch_update:
                rollout(run, algo, desk)
                c.rolled_at = c.epoch_update
            begin(run, desk, "update")
            update(run, desk)
            c.epoch_update += 1
            if c.epoch_update % every == 0:
                end(run)
            desk.tick()
        end_epoch(run, desk, run.config.offline.epochs)


def switch(run: Training, desk: Desk) -> None:
    """From offline to online: nothing learned is reset, D_on and D_model are empty (Algorithm 1, line 3)."""
    c = run.counters
    while c.baselines * run.config.eval.episodes < run.config.eval.switch_episodes:
        evaluate(run, desk, baseline=c.baselines + 1)
        c.baselines += 1
    run.algo.go_online()
    run.env.reset()
    c.stage, c.epoch, c.begun, c.closing, c.studied = "online", 1, 0, 0, 0
    c.next = "fit" if run.config.online.initial_rollout else "act"
    desk.emit("stage", **{"from": "offline", "to": "online"})
    desk.save("switch")


def online(run: Training, desk: Desk) -> None:
    """Algorithm 1, lines 4-15: act; every model_every steps fit and roll out by priority; updates_per_step updates."""
    c, algo = run.counters, run.algo
    while begin_epoch(run, desk) <= run.config.online.epochs:  # lines 4-5: priority 1/(alpha t) of the offline rows
        while c.step < run.config.online.steps_per_epoch or c.next != "act":
            if c.next == "act":  # lines 6-7
                act(run, desk)
                c.next = after_step(run)
            if isinstance(algo, ModelBased) and c.next == "fit":  # lines 8-9
                fit(run, algo, desk)
                c.next = "rollout"
            if isinstance(algo, ModelBased) and c.next == "rollout":  # lines 10-11
                rollout(run, algo, desk)
                desk.emit("share", **algo.share())
                c.next = "update" if c.step else "act"
            if c.next == "update":  # lines 12-13
                updates(run, desk)
                c.next = "act"
            desk.tick()
        if isinstance(algo, ModelBased) and c.studied != c.epoch:
            study(run, algo, desk)
            c.studied = c.epoch
        end_epoch(run, desk, run.config.online.epochs)


def act(run: Training, desk: Desk) -> None:
    """One step of the stochastic policy, or a uniform one, in the real environment; a time-out is no terminal."""
    c, env = run.counters, run.env
    begin(run, desk, "act")
    obs = torch.from_numpy(env.obs).to(run.device)
    if c.env_step < run.config.online.random_steps:
        draws = np.random.default_rng(stream_seed(run.config.run.seed, "random", c.env_step))
        action = torch.from_numpy(draws.uniform(-1, 1, env.action_dim).astype(np.float32)).to(run.device)
    else:
        action = run.algo.act(obs.unsqueeze(0), c.env_step)[0]
    next_obs, reward, terminated, truncated = env.step(action.cpu().numpy())
    run.replay.append(
        torch.cat([obs, action, torch.from_numpy(next_obs).to(run.device), obs.new_tensor([reward, float(terminated)])])
    )
    if terminated or truncated:
        env.reset()
    c.env_step += 1
    c.step += 1
    run.algo.after_step()
    end(run)


def learning(run: Training) -> bool:
    """Whether the first steps, of uniform actions or of the policy as it comes, are over."""
    online = run.config.online
    return run.counters.env_step >= max(online.random_steps, online.warmup_steps)


def after_step(run: Training) -> str:
    """What follows an environment step: a fit every model_every steps of those that teach, else updates."""
    due = run.counters.env_step % run.config.online.model_every == 0
    return "fit" if isinstance(run.algo, ModelBased) and due and learning(run) else "update"


def fit(run: Training, algo: ModelBased, desk: Desk) -> None:
    begin(run, desk, "fit")
    facts = algo.fit(run.counters.fits, desk.tick)
    run.counters.fits += 1
    end(run)
    desk.emit("model", **facts)
    if run.counters.stage == "offline":
        desk.emit("share", **algo.share())


def rollout(run: Training, algo: ModelBased, desk: Desk) -> None:
    begin(run, desk, "rollout")
    facts = algo.rollout(run.counters.rollouts, desk.tick)
    run.counters.rollouts += 1
    end(run)
    desk.emit("unc", **facts)


def updates(run: Training, desk: Desk) -> None:
    """The updates due after a step; none before there is something to learn from."""
    c = run.counters
    if begin(run, desk, "update"):
        due = c.env_step % run.config.online.update_every == 0 and learning(run) and run.algo.ready()
        c.owed = run.algo.updates_due(c.epoch) if due else 0
    while c.owed:
        update(run, desk)
        c.owed -= 1
        if c.owed:
            desk.tick()
    end(run)


def update(run: Training, desk: Desk) -> None:
    run.algo.update()
    run.counters.update += 1
    if run.counters.update % LOSS_EVERY == 0:
        desk.emit("loss", **run.algo.metrics())


def study(run: Training, algo: ModelBased, desk: Desk) -> None:
    """The uncertainty study's relative error (Sec. 4.3): the epoch before's rollouts under this epoch's models."""
    begin(run, desk, "study")
    facts = algo.study(run.counters.epoch)
    end(run)
    if facts is not None:
        desk.emit("rue", **facts)


def begin_epoch(run: Training, desk: Desk) -> int:
    """The epoch that the counters stand in, entered if it was not yet."""
    c = run.counters
    if c.begun != c.epoch:
        begin(run, desk, "epoch")
        end(run)
        c.begun = c.epoch
        run.algo.begin_epoch(c.epoch)
    return c.epoch


def end_epoch(run: Training, desk: Desk, last: int) -> None:
    """Evaluate and save where they are due, and step to the next epoch."""
    c = run.counters
    if c.closing != c.epoch:
        begin(run, desk, "end")
        end(run)
        if not isinstance(run.algo, ModelBased) and (c.stage == "online" or c.epoch == 1):
            desk.emit("share", **run.algo.share())
        c.closing = c.epoch
        c.to_evaluate = c.epoch == last or c.epoch % run.config.eval.every_epochs == 0
        c.to_save = c.epoch % run.config.checkpoint.every_epochs == 0
    if c.to_evaluate:
        evaluate(run, desk)
        c.to_evaluate = False
    save, c.to_save = c.to_save, False
    c.epoch += 1
    c.epoch_update, c.step, c.rolled_at = 0, 0, -1
    if save:
        desk.save()
    desk.tick()
