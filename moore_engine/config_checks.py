"""Checks of a configuration's values, one by one and across keys, and the plain words for what a key allows."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import Any, NamedTuple

import msgspec

from moore_engine.presets import ConfigError, nearest
from moore_engine.schema import ALGORITHMS, SECTIONS, Collect, Config, get, keys, stages

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@=-]{0,99}")
DEFAULTS = Config()


class Description(NamedTuple):
    """A key for people: what it takes, its default, one line about it."""

    key: str
    allowed: str
    default: Any
    text: str


def describe() -> list[Description]:
    """All keys in the order they are written."""
    from msgspec import inspect

    rows = []
    for key in keys():
        kind = inspect.type_info(kind_of(key, ""))
        assert isinstance(kind, inspect.Metadata)
        rows.append(Description(key, allowed(key), get(DEFAULTS, key), (kind.extra_json_schema or {})["description"]))
    return rows


def convert(key: str, value: Any, where: str) -> Any:
    """`value` as the type of "section.key"; raises ConfigError naming the key, the value and what is allowed."""
    kind, default, given = kind_of(key, where), get(DEFAULTS, key), value
    if default is None and value == "none":
        value = None
    if isinstance(value, float) and value.is_integer() and isinstance(default, int):
        value = int(value)
    try:
        value = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise refusal(key, given, where) from None
    numbers = value if isinstance(value, tuple) else (value,)
    if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
        raise refusal(key, given, where)
    if key == "run.algo" and value not in ALGORITHMS:
        raise refusal(key, given, where)
    if key == "run.name" and value and not NAME.fullmatch(value):
        raise refusal(key, given, where)
    return value


def kind_of(key: str, where: str) -> Any:
    """Annotated type of "section.key"; raises ConfigError for an unknown key, naming the nearest."""
    section, _, name = key.partition(".")
    place = f" (from {where})" if where else ""
    if section not in SECTIONS:
        if not name:
            raise ConfigError(f'"{key}"{place} is not a section.key{nearest(key, keys())}')
        raise ConfigError(f'There is no section "{section}"{place}{nearest(section, SECTIONS)}')
    kinds = _kinds(section)
    if name not in kinds:
        same_name = [each for each in keys() if each.endswith(f".{name}")]
        candidates = same_name or [f"{section}.{each}" for each in kinds]
        raise ConfigError(f'There is no key "{key}"{place}{nearest(key, candidates)}')
    return kinds[name]


@cache
def _kinds(section: str) -> dict[str, Any]:
    return {each.encode_name: each.type for each in msgspec.structs.fields(SECTIONS[section])}


def refusal(key: str, value: Any, where: str) -> ConfigError:
    """The error for a value that `key` does not allow, with the nearest choice if it is a misspelt one."""
    known = choices(key)
    hint = nearest(value, known) if known and isinstance(value, str) else ""
    hint = hint if hint.endswith("?") else "."
    return ConfigError(f"{key} = {_show(value)} ({where}) is not allowed: it takes {allowed(key)}{hint}")


def allowed(key: str) -> str:
    """What a key takes, in words."""
    if key == "run.algo":
        return " or ".join(map(_show, ALGORITHMS))
    if key == "run.name":
        return "letters, digits and ._+@=-, starting with a letter or digit, at most 100 (a directory name)"
    from msgspec import inspect

    return _words(inspect.type_info(kind_of(key, "")))


def choices(key: str) -> list[str]:
    """The words that `key` takes; none if it takes others too, numbers or any text."""
    from msgspec import inspect

    if key == "run.algo":
        return list(ALGORITHMS)
    kind = inspect.type_info(kind_of(key, ""))
    kind = kind.type if isinstance(kind, inspect.Metadata) else kind
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return [str(value) for each in kinds if isinstance(each, inspect.LiteralType) for value in each.values]


def _words(kind: Any) -> str:
    from msgspec import inspect

    match kind:
        case inspect.Metadata():
            return _words(kind.type)
        case inspect.UnionType():
            return " or ".join(_words(each) for each in kind.types)
        case inspect.LiteralType():
            return " or ".join(map(_show, sorted(kind.values, key=str)))
        case inspect.BoolType():
            return "true or false"
        case inspect.NoneType():
            return '"none"'
        case inspect.StrType():
            return "text"
        case inspect.VarTupleType():
            return f"a {'non-empty ' if kind.min_length else ''}list, each {_words(kind.item_type)}"
    noun = "an integer" if isinstance(kind, inspect.IntType) else "a number"
    bounds = ((">", kind.gt), (">=", kind.ge), ("<", kind.lt), ("<=", kind.le))
    limits = [f"{sign} {bound:g}" for sign, bound in bounds if bound is not None]
    return f"{noun} {' and '.join(limits)}".rstrip()


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def check_across(config: Config) -> None:
    """Laws between keys; raises ConfigError for the first one broken."""
    model, sac, offline, online, data = config.model, config.sac, config.offline, config.online, config.data
    if model.elites > model.networks:
        raise ConfigError(f"model.elites = {model.elites} is more than model.networks = {model.networks}.")
    if len(model.weight_decay) != len(model.hidden) + 1:
        raise ConfigError(
            f"model.weight_decay has {len(model.weight_decay)} values, but the {len(model.hidden)} layers of "
            f"model.hidden and the output layer need {len(model.hidden) + 1}."
        )
    if sac.log_std_min >= sac.log_std_max:
        raise ConfigError(f"sac.log_std_min = {sac.log_std_min} is not below sac.log_std_max = {sac.log_std_max}.")
    _check_divides(
        "offline.rollout_every", offline.rollout_every, "offline.updates_per_epoch", offline.updates_per_epoch
    )
    if sac.critic_subset > sac.critics:
        raise ConfigError(f"sac.critic_subset = {sac.critic_subset} is more than sac.critics = {sac.critics}.")
    if config.run.algo != "collect":
        _check_divides("online.update_every", online.update_every, "online.steps_per_epoch", online.steps_per_epoch)
        _check_divides("online.model_every", online.model_every, "online.steps_per_epoch", online.steps_per_epoch)
    if online.sampler == "custom" and not online.priority:
        raise ConfigError('online.sampler = "custom" needs a function: set online.priority = "pkg.module:function".')
    if online.priority and online.sampler != "custom":
        raise ConfigError(
            f'online.priority = {_show(online.priority)} needs online.sampler = "custom" (it is "{online.sampler}").'
        )
    if online.initial_rollout and online.sampler == "online_only":
        raise ConfigError("online.initial_rollout has no rows to start from with online.sampler = online_only.")
    if online.initial_rollout and "offline" not in stages(config.run.algo):
        raise ConfigError(f"online.initial_rollout has no rows to start from with run.algo = {config.run.algo}.")
    growth = online.rollout_growth
    if growth and (len(growth) != 4 or growth[0] >= growth[1]):
        raise ConfigError(
            f"online.rollout_growth = {list(growth)} is not four numbers: first epoch, a later epoch, H there, H here."
        )
    if config.run.algo == "collect":
        _check_collect(config.collect)
    if (data.ref_min is None) != (data.ref_max is None):
        raise ConfigError("data.ref_min and data.ref_max go together: set both, or neither.")
    if data.ref_min is not None and data.ref_max is not None and data.ref_min >= data.ref_max:
        raise ConfigError(f"data.ref_min = {data.ref_min} is not below data.ref_max = {data.ref_max}.")


def _check_collect(collect: Collect) -> None:
    if collect.kind == "medium-expert" and collect.steps < 2:
        raise ConfigError("collect.steps = 1 cannot be divided between the medium and the expert policy.")
    if collect.kind in ("medium", "medium-expert") and collect.target_return == "none":
        raise ConfigError(
            f'collect.target_return = "none" does not say when collect.kind = "{collect.kind}" is medium.'
        )


def _check_divides(part_key: str, part: int, whole_key: str, whole: int) -> None:
    if whole % part:
        raise ConfigError(f"{part_key} = {part} does not divide {whole_key} = {whole}.")
