"""Every key of a run's configuration: its type, range, default, unit and, once, its symbol in the paper.

Defaults are MOORe's online values (arXiv 2201.10070, Sec. 4) on MOPO's official offline stage. No torch, no numpy.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

BOTH, ONLINE = ("offline", "online"), ("online",)


class Algorithm(NamedTuple):
    """An algorithm for people and the loop: what it is, its stages, its class (module:Class), whether it learns from
    models, and the sections of the configuration that are its own."""

    about: str
    stages: tuple[str, ...]
    where: str
    models: bool = False
    sections: tuple[str, ...] = ()


_HOME = "moore_engine.algorithms"
ALGORITHMS = {
    "moore": Algorithm(
        "MOPO offline, then online fine-tuning with prioritised sampling (MOORe, Algorithm 1)",
        BOTH,
        f"{_HOME}.moore:MOORe",
        models=True,
    ),
    "mopo": Algorithm("the offline stage only (MOPO)", ("offline",), f"{_HOME}.mopo:MOPO", models=True),
    "mbpo": Algorithm(
        "MOORe's loop from scratch, without data and penalty (MBPO)", ONLINE, f"{_HOME}.mbpo:MBPO", models=True
    ),
    "awac": Algorithm(
        "advantage-weighted actor-critic, offline then online on one buffer",
        BOTH,
        f"{_HOME}.awac:AWAC",
        sections=("awac",),
    ),
    "balanced_replay": Algorithm(
        "five CQL agents offline, then their ensemble online on rows balanced by a density ratio",
        BOTH,
        f"{_HOME}.balanced_replay:BalancedReplay",
        sections=("cql", "balanced"),
    ),
    "cql": Algorithm(
        "conservative Q-learning offline, then plain fine-tuning online", BOTH, f"{_HOME}.cql:CQL", sections=("cql",)
    ),
    "collect": Algorithm(
        "a data set made in the task by D4RL's protocol, with SAC",
        ONLINE,
        "moore_engine.collect.collection:Collection",
        sections=("collect",),
    ),
}
"""The one table: an algorithm is its line here, its file and its preset."""


def stages(algo: str) -> tuple[str, ...]:
    """The stages that a run of this algorithm has; both of one that is unknown here."""
    return ALGORITHMS[algo].stages if algo in ALGORITHMS else BOTH


Count = Annotated[int, Meta(ge=1)]
CountOrZero = Annotated[int, Meta(ge=0)]
Rate = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]


def about(text: str) -> Meta:
    """The one-line description that `config show` and the documentation print."""
    return Meta(description=text)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, keyword only, no unknown keys."""


class Run(Section, frozen=True):
    algo: Annotated[str, about("algorithm")] = "moore"
    seed: Annotated[int, Meta(ge=0), about("seed every random stream of the run derives from")] = 0
    device: Annotated[Literal["auto", "cpu", "cuda"], about("where tensors live; auto takes a GPU if there is one")] = (
        "auto"
    )
    threads: Annotated[Count | Literal["auto"], about("CPU threads; auto is resolved when the run is created")] = "auto"
    name: Annotated[str, about("run name, also its directory; empty picks one at creation")] = ""
    from_: Annotated[str, about("saved state to start from: RUN@switch or RUN@checkpoint; empty starts afresh")] = (
        msgspec.field(default="", name="from")
    )


class Data(Section, frozen=True):
    path: Annotated[str, about("offline data set D_off: a D4RL file (HDF5) or name, minari:ID, bundled:NAME")] = ""
    task: Annotated[str, about("Gymnasium task of the online stage and evaluations; empty takes the data set's")] = ""
    termination: Annotated[str, about("termination function of model rollouts; empty takes the task's own")] = ""
    sha256: Annotated[str, about("digest of the data set; filled in when the run is created")] = ""
    ref_min: Annotated[float | None, about("return that scores 0; none takes the task's reference")] = None
    ref_max: Annotated[float | None, about("return that scores 100; none takes the task's reference")] = None


class Model(Section, frozen=True):
    networks: Annotated[Count, about("networks in the dynamics ensemble (K)")] = 7
    elites: Annotated[Count, about("networks with the lowest holdout error, whose predictions rollouts use")] = 5
    hidden: Annotated[tuple[Count, ...], Meta(min_length=1), about("units in each hidden layer")] = (200,) * 4
    weight_decay: Annotated[tuple[NotNegative, ...], about("weight decay of each layer, the output's too")] = (
        2.5e-5,
        5e-5,
        7.5e-5,
        7.5e-5,
        1e-4,
    )
    lr: Annotated[Rate, about("Adam learning rate")] = 1e-3
    batch: Annotated[Count, about("rows in a minibatch of each network")] = 256
    patience: Annotated[Count, about("epochs of a fit without any holdout gain over 1 % before it stops")] = 6
    holdout_ratio: Annotated[float, Meta(gt=0, lt=1), about("share of rows held out, of each stratum")] = 0.2
    holdout_max: Annotated[Count, about("most rows held out, of each stratum")] = 1000
    max_epochs: Annotated[CountOrZero, about("most epochs of a fit; 0 = no cap")] = 0
    max_updates: Annotated[CountOrZero, about("most minibatches of a fit; 0 = no cap")] = 0
    scaler: Annotated[Literal["refit", "frozen"], about("input scaler online: refit at each fit, or kept")] = "refit"
    penalty: Annotated[
        Literal["max_std", "pairwise", "ensemble_std"], about("uncertainty u(s,a) that is taken off the reward")
    ] = "max_std"


class Sac(Section, frozen=True):
    hidden: Annotated[tuple[Count, ...], Meta(min_length=1), about("units in each hidden layer, actor and critics")] = (
        256,
        256,
    )
    actor_hidden: Annotated[tuple[Count, ...], about("units in each hidden layer of the actor; [] = sac.hidden")] = ()
    actor_weight_decay: Annotated[NotNegative, about("weight decay of AWAC's actor")] = 0.0
    critics: Annotated[
        int, Meta(ge=2), about("Q networks; where not all are in the target the actor follows their mean")
    ] = 2
    critic_subset: Annotated[
        Count, about("random target networks whose minimum is the target, at most sac.critics")
    ] = 2
    layer_norm: Annotated[bool, about("layer normalisation in the critics' hidden layers")] = False
    actor_lr: Annotated[Rate, about("Adam learning rate of the actor")] = 3e-4
    critic_lr: Annotated[Rate, about("Adam learning rate of both critics")] = 3e-4
    temperature_lr: Annotated[Rate, about("Adam learning rate of the temperature")] = 3e-4
    gamma: Annotated[float, Meta(ge=0, lt=1), about("discount factor")] = 0.99
    tau: Annotated[float, Meta(gt=0, le=1), about("share of the critic that enters its target at each update")] = 0.005
    target_entropy: Annotated[float | Literal["auto"], about("entropy target in nats; auto = -dim(action)")] = -3.0
    batch: Annotated[Count, about("rows in a batch")] = 256
    log_std_min: Annotated[float, about("lower bound of the policy's log standard deviation")] = -20.0
    log_std_max: Annotated[float, about("upper bound of the policy's log standard deviation")] = 2.0
    temperature_max: Annotated[NotNegative, about("upper clamp of the temperature; 0 = none")] = 0.0
    actor_schedule: Annotated[
        Literal["constant", "cosine"], about("actor's rate over the offline stage; online it is constant")
    ] = "constant"


class Offline(Section, frozen=True):
    epochs: Annotated[CountOrZero, about("epochs of the offline stage")] = 1000
    updates_per_epoch: Annotated[Count, about("SAC updates in an epoch")] = 1000
    rollout_every: Annotated[Count, about("SAC updates between model rollouts")] = 1000
    rollout_batch: Annotated[Count, about("rollout starts each time")] = 50_000
    rollout_length: Annotated[Count, about("model steps in a rollout (H)")] = 5
    retain_epochs: Annotated[Count, about("epochs of rollouts kept in D_model")] = 5
    penalty_coef: Annotated[NotNegative, about("reward taken off per unit of uncertainty, in both stages (lambda)")] = (
        1.0
    )
    real_ratio: Annotated[Share, about("share of a SAC batch drawn from the data set, unpenalised")] = 0.05


class Online(Section, frozen=True):
    epochs: Annotated[CountOrZero, about("epochs of the online stage (T)")] = 100
    steps_per_epoch: Annotated[Count, about("environment steps in an epoch (S)")] = 1000
    model_every: Annotated[Count, about("environment steps between model fits and rollouts (phi)")] = 250
    rollout_batch: Annotated[Count, about("rollout starts each time (R)")] = 100_000
    rollout_length: Annotated[Count, about("model steps in a rollout (H)")] = 5
    updates_per_step: Annotated[CountOrZero, about("SAC updates for each environment step (N)")] = 20
    update_every: Annotated[
        Count, about("environment steps between blocks of updates; a block has updates_per_step times as many")
    ] = 1
    random_steps: Annotated[CountOrZero, about("first steps, whose actions are uniform and teach nothing yet")] = 0
    warmup_steps: Annotated[
        CountOrZero, about("first steps, taken by the policy as it comes, while nothing is learned yet")
    ] = 0
    rollout_growth: Annotated[
        tuple[Count, ...],
        about("[first epoch, last epoch, H there, H here]: H grows linearly in between; [] = rollout_length"),
    ] = ()
    sampler: Annotated[
        Literal["priority", "uniform", "half_half", "online_only", "custom"],
        about("which rows fits and rollout starts draw"),
    ] = "priority"
    priority: Annotated[
        str, about("function f(d, t) of sampler custom, 'pkg.module:function'; it is code, so needs --trust-code")
    ] = ""
    alpha: Annotated[
        Rate | Literal["auto"], about("offline rows have priority 1/(alpha t) in epoch t; auto puts the half at t = 20")
    ] = 1.0
    retain_epochs: Annotated[Count, about("epochs of rollouts kept in D_model")] = 1
    real_ratio: Annotated[Share, about("share of a SAC batch drawn from the real rows, unpenalised")] = 0.0
    max_updates: Annotated[CountOrZero, about("most minibatches of a fit online; 0 = model.max_updates")] = 0
    initial_rollout: Annotated[bool, about("fit and roll out before the first step, so that SAC updates at once")] = (
        False
    )
    penalty_anneal: Annotated[bool, about("scale the penalty by the offline share P_off")] = False


class Cql(Section, frozen=True):
    weight: Annotated[NotNegative, about("weight of the conservative term in the critics' loss, offline")] = 5.0
    online_weight: Annotated[NotNegative, about("the same online; 0 = plain fine-tuning")] = 0.0
    actions: Annotated[Count, about("actions of each kind that the conservative term samples in a state")] = 10


class Awac(Section, frozen=True):
    temperature: Annotated[Rate, about("divides the advantage in the weights (lambda; beta of the softmax)")] = 1 / 3
    weighting: Annotated[
        Literal["exp", "softmax"],
        about("weights of the actor's loss: clamped exponentials, or a softmax over the batch"),
    ] = "exp"
    weight_max: Annotated[Rate, about("clamp of an exponential weight")] = 100.0
    tanh_mean: Annotated[
        bool, about("tanh of the policy's mean; its log standard deviation by a sigmoid, not by a clamp")
    ] = False
    normalize: Annotated[bool, about("standardise observations by the offline mean and standard deviation")] = True


class Balanced(Section, frozen=True):
    agents: Annotated[Count, about("CQL agents of the offline stage, members of the online ensemble")] = 5
    fraction: Annotated[
        float, Meta(gt=0, lt=1), about("share of online rows that a new row's priority aims at (f)")
    ] = 0.5
    ratio_hidden: Annotated[
        tuple[Count, ...], Meta(min_length=1), about("units in each hidden layer of the density ratio's network")
    ] = (256, 256)
    ratio_lr: Annotated[Rate, about("Adam learning rate of the density ratio")] = 3e-4
    ratio_temperature: Annotated[Rate, about("a priority is the ratio to the power of 1 over this")] = 5.0
    first_epoch: Annotated[Count, about("updates of the first online epoch, as a multiple of the others'")] = 10


class Eval(Section, frozen=True):
    episodes: Annotated[Count, about("episodes of an evaluation")] = 10
    every_epochs: Annotated[Count, about("epochs between evaluations")] = 1
    switch_episodes: Annotated[
        CountOrZero, about("episodes of the frozen policy at the switch, for the dip's null")
    ] = 100


class Checkpoint(Section, frozen=True):
    every_epochs: Annotated[Count, about("epochs between checkpoints")] = 5
    keep: Annotated[Count, about("newest checkpoints kept; the switch's is always kept")] = 2


class Collect(Section, frozen=True):
    kind: Annotated[
        Literal["random", "medium", "medium-replay", "expert", "medium-expert"],
        about("what to collect: of uniform actions, SAC's stochastic policy, or SAC's replay buffer"),
    ] = "medium-replay"
    steps: Annotated[Count, about("rows of the set, and up to an episode more; most rows of a replay buffer")] = (
        1_000_000
    )
    random_steps: Annotated[CountOrZero, about("uniform steps before SAC acts and learns")] = 1000
    train_steps: Annotated[
        Count, about("environment steps of SAC's whole training; most of them before it is medium")
    ] = 1_000_000
    target_return: Annotated[
        float | Literal["auto", "none"],
        about("evaluated return at which SAC is medium; auto = a third of the way from ref_min to ref_max"),
    ] = "auto"
    output: Annotated[
        str, about("HDF5 file to write; empty = dataset.hdf5 in the run's directory, unless id is set")
    ] = ""
    id: Annotated[str, about("Minari data set to write, such as hopper/medium-v0; empty = none")] = ""
    author: Annotated[str, about("who made the Minari data set, for its metadata; empty = not said")] = ""
    code_permalink: Annotated[
        str, about("where the code that made the Minari data set can be read; empty = not said")
    ] = ""


class Config(Section, frozen=True):
    """A whole configuration; attributes are the section names."""

    run: Run = Run()
    data: Data = Data()
    model: Model = Model()
    sac: Sac = Sac()
    offline: Offline = Offline()
    online: Online = Online()
    cql: Cql = Cql()
    awac: Awac = Awac()
    balanced: Balanced = Balanced()
    eval: Eval = Eval()
    checkpoint: Checkpoint = Checkpoint()
    collect: Collect = Collect()


SECTIONS: dict[str, type[Section]] = {
    "run": Run,
    "data": Data,
    "model": Model,
    "sac": Sac,
    "offline": Offline,
    "online": Online,
    "cql": Cql,
    "awac": Awac,
    "balanced": Balanced,
    "eval": Eval,
    "checkpoint": Checkpoint,
    "collect": Collect,
}


def attribute(key: str) -> str:
    """Name in Python of the TOML key `key`."""
    return "from_" if key == "from" else key


def keys() -> tuple[str, ...]:
    """All keys as "section.key", in the order they are written."""
    return tuple(
        f"{section}.{name}" for section, struct in SECTIONS.items() for name in struct.__struct_encode_fields__
    )


def get(config: Config, key: str) -> Any:
    """Value of "section.key"."""
    section, name = key.split(".")
    return getattr(getattr(config, section), attribute(name))
