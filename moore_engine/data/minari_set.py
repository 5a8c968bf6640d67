"""A local Minari data set by its id: where it lies, and what its metadata say. The rows are read by minari.py."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from moore_engine.data import hdf5
from moore_engine.data.bounded import bounded_memory
from moore_engine.data.catalogue import MINARI, minari_dir, minari_sets
from moore_engine.data.errors import DataError

DATA_FILE = "main_data.hdf5"
METADATA_FILE = "metadata.json"
OWN_KEY = "moore_console"
"""What write_minari keeps for the reader here: how the rows of a D4RL file differ from Minari's episodes."""

METADATA_LIMIT = 1 << 24
_ID = re.compile(r"(?:(?P<namespace>[-\w][-\w/]*[-\w]+)/)?(?P<name>[-\w]+?)(?:-v(?P<version>\d+))?", re.ASCII)


@dataclass(frozen=True)
class MinariFacts:
    """Metadata of the local set `id` in the folder `data`.

    `task` is its environment's id, `spec` all that is said of that environment (Gymnasium's EnvSpec as a dictionary).
    `own` is what write_minari left for the reader. `sha256` is that of the metadata file.
    """

    id: str
    data: Path
    sha256: str
    episodes: int
    steps: int
    spec: dict[str, Any]
    spaces: dict[str, dict[str, Any]]
    reference: tuple[float, float] | None
    algorithm: str | None
    own: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def name(self) -> str:
        """As `data.path` has it."""
        return f"{MINARI}{self.id}"

    @property
    def file(self) -> Path:
        return self.data / DATA_FILE

    @property
    def task(self) -> str | None:
        found = self.spec.get("id")
        return found if isinstance(found, str) and found else None

    @property
    def foreign_module(self) -> str | None:
        """The module that defines its environment, if that is not Gymnasium."""
        entry = self.spec.get("entry_point")
        module = entry.partition(":")[0] if isinstance(entry, str) else ""
        return module if module and module.split(".")[0] != "gymnasium" else None


def parse(dataset_id: str) -> tuple[str | None, str, int]:
    """(namespace, name, version) of `NAMESPACE/NAME-vN`, with or without a namespace. Raises DataError."""
    found = _ID.fullmatch(dataset_id)
    if found is None or found["version"] is None:
        raise DataError(f"{dataset_id!r} is no Minari id: write NAMESPACE/NAME-vN, as in hopper/medium-replay-v0.")
    return found["namespace"], found["name"], int(found["version"])


def folder(reference: str) -> Path:
    """The data folder of the local set `reference`, an id with or without `minari:`. Raises DataError."""
    dataset_id = reference.removeprefix(MINARI)
    root = minari_dir()
    there = [known.name for known in minari_sets()] if not _is_there(root, dataset_id) else []
    if there or not _is_there(root, dataset_id):
        raise DataError(_missing(dataset_id, root, there))
    return root / dataset_id / "data"


def find(reference: str) -> MinariFacts:
    """The local set `reference`, its metadata checked. Raises DataError."""
    data = folder(reference)
    dataset_id = reference.removeprefix(MINARI)
    name = f"{MINARI}{dataset_id}"
    text = _read(name, data / METADATA_FILE)
    try:
        with bounded_memory(2 * len(text) + hdf5.STRUCTURE):
            metadata = json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(
            f"{name}: {data / METADATA_FILE} is damaged ({error}): download or copy the set again."
        ) from error
    if not isinstance(metadata, dict):
        raise DataError(f"{name}: {data / METADATA_FILE} holds no metadata: download or copy the set again.")
    _check_kind(name, metadata)
    own = metadata.get(OWN_KEY)
    return MinariFacts(
        id=dataset_id,
        data=data,
        sha256=hashlib.sha256(text).hexdigest(),
        episodes=_count(name, metadata, "total_episodes"),
        steps=_count(name, metadata, "total_steps"),
        spec=_object(metadata.get("env_spec")) or _object(metadata.get("eval_env_spec")),
        spaces={key: _object(metadata.get(key)) for key in ("observation_space", "action_space")},
        reference=_reference(name, metadata),
        algorithm=_text(metadata.get("algorithm_name")),
        own=own if isinstance(own, dict) else {},
        metadata=metadata,
    )


def check_spaces(found: MinariFacts) -> None:
    """DataError unless observations and actions are arrays of numbers, as far as the metadata say."""
    for key, space in found.spaces.items():
        kind, what = space.get("type"), key.partition("_")[0]
        if kind is not None and kind != "Box":
            raise DataError(
                f"{found.name} has {kind} {what}s and the engine needs Box {what}s: give a set of another environment."
            )
        shape = space.get("shape")
        if kind == "Box" and space.get("dtype") == "uint8" and isinstance(shape, list) and len(shape) > 1:
            raise DataError(f"{found.name} has images as {what}s and the engine needs vectors: give another set.")


def check_task(found: MinariFacts, task: str) -> list[str]:
    """Whether the set is of `task`: DataError if it says otherwise, and warnings where its environment was changed."""
    own = found.task
    if own is None:
        return [f"{found.name} does not say which environment made it; it is taken as {task}'s."]
    if own.rpartition(":")[2] != task.rpartition(":")[2]:
        raise DataError(
            f"{found.name} was made with {own} but the run asks for {task}: set data.task to {task_for(found)} or give "
            f"another data set."
        )
    warnings = []
    registered = gym.registry.get(task.rpartition(":")[2])
    for key, what in (
        ("kwargs", "arguments"),
        ("max_episode_steps", "time limit"),
        ("additional_wrappers", "wrappers"),
    ):
        theirs, ours = found.spec.get(key) or None, getattr(registered, key, None) or None
        if registered is not None and key in found.spec and theirs != ours:
            warnings.append(
                f"{found.name}: its {own} had {what} {_short(theirs)} where {task} has {_short(ours)}; evaluations and "
                f"the online stage use {task} as it is."
            )
    entry = found.spec.get("entry_point")
    if registered is not None and entry not in (None, registered.entry_point):
        warnings.append(f"{found.name}: its {own} is {entry} and here {task} is {registered.entry_point}.")
    other = _object(found.metadata.get("eval_env_spec")).get("id", own)
    if other != own:
        warnings.append(f"{found.name} is meant to be evaluated on {other}; evaluations here use {task}.")
    return warnings


def task_for(found: MinariFacts) -> str:
    """What data.task should be: the environment's id, behind its package where Gymnasium does not know it."""
    own = found.task
    if own is None:
        raise DataError(f"{found.name} does not say which environment made it: set data.task.")
    if ":" in own or own in gym.registry or found.foreign_module is None:
        return own
    return f"{found.foreign_module.split('.')[0]}:{own}"


def _is_there(root: Path, dataset_id: str) -> bool:
    return _ID.fullmatch(dataset_id) is not None and (root / dataset_id / "data").is_dir()


def _missing(dataset_id: str, root: Path, there: list[str]) -> str:
    close = [known for known in there if known.rpartition("-v")[0] == dataset_id.rstrip("/")]
    close = close[-1:] or difflib.get_close_matches(dataset_id, there, n=1, cutoff=0.5)
    try:
        parse(dataset_id)
    except DataError as error:
        return f"{error}" if not close else f"{str(error).rstrip('.')} (nearest: {MINARI}{close[0]})."
    hint = f" (nearest: {MINARI}{close[0]})" if close else ""
    return (
        f"there is no Minari set {dataset_id} in {root}{hint}: `moore-console data download {dataset_id}` fetches a "
        f"published one; MINARI_DATASETS_PATH names another folder."
    )


def _read(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(METADATA_LIMIT + 1)
    except FileNotFoundError:
        raise DataError(f"{name} has no {METADATA_FILE}: download or copy the set again.") from None
    except OSError as error:
        raise DataError(f"{name}: {path} cannot be read ({error.strerror}): check its permissions.") from error
    if len(text) > METADATA_LIMIT:
        raise DataError(f"{name}: {path} has more than {METADATA_LIMIT >> 20} MiB, which metadata never have.")
    return text


def _check_kind(name: str, metadata: dict[str, Any]) -> None:
    stored = metadata.get("data_format", "hdf5")
    if stored != "hdf5":
        raise DataError(
            f"{name} is stored as {_short(stored)}, which is not read here: make it with data_format='hdf5'."
        )
    version = metadata.get("minari_version")
    if not (isinstance(version, str) and version.startswith(("0.4.", "0.5."))):
        raise DataError(f"{name} was made with Minari {_short(version)} and 0.4 and 0.5 are read: convert it.")


def _count(name: str, metadata: dict[str, Any], key: str) -> int:
    found = metadata.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 2**53:
        raise DataError(f"{name}: its metadata have {key} = {_short(found)} and no count: download or copy it again.")
    if found == 0:
        raise DataError(f"{name} holds no episodes: its creation was cut short, so delete and make it again.")
    return found


def _reference(name: str, metadata: dict[str, Any]) -> tuple[float, float] | None:
    found = [metadata.get(key) for key in ("ref_min_score", "ref_max_score")]
    if found[0] is None or found[1] is None:
        return None
    if all(isinstance(each, int | float) and math.isfinite(each) for each in found) and found[0] < found[1]:
        return float(found[0]), float(found[1])
    raise DataError(f"{name}: its ref_min_score and ref_max_score must be finite numbers, the first the smaller.")


def _object(value: Any) -> dict[str, Any]:
    """A JSON object, which Minari stores as text; an empty one for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _short(value: Any) -> str:
    text = "nothing" if value in (None, {}, [], ()) else value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
