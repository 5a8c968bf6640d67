"""A D4RL file as a Minari set, from which minari_to_d4rl.py makes equal arrays again.

Minari has no place for the number types and shapes of a file's rewards and flags, for episodes that end with neither
flag, and for what is no array of rows (metadata/*, policies, attributes). The first two go into the set's metadata, the
last into d4rl.hdf5 beside its data; next_observations that are not the following observations become infos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from moore_engine import scores
from moore_engine.buffers import Layout
from moore_engine.data import catalogue, d4rl, hdf5, labels, minari_set, validate
from moore_engine.data.bounded import widen
from moore_engine.data.errors import DataError
from moore_engine.data.minari_set import MinariFacts
from moore_engine.data.minari_write import About, Rows, write_minari
from moore_engine.data.reference import Reference

Array = NDArray[Any]
Progress = Callable[[int, int], None]

OWN = "d4rl"
REST_FILE = "d4rl.hdf5"
COLUMNS = ("observations", "actions", "next_observations", "rewards", "terminals", "timeouts")


@dataclass(frozen=True)
class Exchanged:
    """What was made, and what a person should know of it."""

    path: Path
    rows: int
    episodes: int
    warnings: list[str]


def import_d4rl(source: Reference, dataset_id: str, about: About, progress: Progress) -> Exchanged:
    """Writes the D4RL file that `source` names as the Minari set `dataset_id`. Raises DataError.

    What `about` leaves open is taken from the file, else from what is known of it. A set that the same file was
    imported to before is left as it is.
    """
    if source.file is None:
        raise DataError(f"{source.path} is a Minari set already: `moore-console data export` writes it as a file.")
    name = str(source.file)
    minari_set.parse(dataset_id)
    hdf5.require(name)
    with hdf5.Digest(name) as digest, hdf5.opened(name) as file:
        n, obs_dim, action_dim = d4rl.shape(name, file)
        validate.check_dims(name, source.task, (obs_dim, action_dim), (source.obs_dim, source.action_dim))
        arrays = {key: hdf5.dataset(name, file, key)[()] for key in COLUMNS if key in file}
        infos, rest = _infos_and_rest(file, n)
        rows, warnings = _rows(name, arrays, {key: hdf5.dataset(name, file, f"infos/{key}")[()] for key in infos})
        about = _completed(about, name, file, source.task, digest.result())
    forms = {key: _form(values) for key, values in arrays.items()} | {
        f"infos/{key}": _form(values) for key, values in rows.infos.items()
    }
    own = {OWN: {"sha256": digest.result(), "arrays": forms}}
    if (there := _imported(dataset_id, own)) is not None:
        return Exchanged(there.data.parent, there.steps, there.episodes, [f"{there.name} is there already."])
    folder = write_minari(
        dataset_id, rows, task=source.task, low=source.low, high=source.high, about=about, own=own,
        beside=lambda data: _keep_rest(name, data / REST_FILE, rest), progress=progress,
    )  # fmt: skip
    return Exchanged(folder, n, minari_set.find(dataset_id).episodes, warnings)


def _rows(name: str, arrays: dict[str, Array], infos: dict[str, Array]) -> tuple[Rows, list[str]]:
    """The file's rows with the ends of its episodes, found as a run finds them."""
    observations, following = arrays["observations"], arrays.get("next_observations")
    layout = Layout(observations.shape[1], arrays["actions"].shape[1])
    widen(4 * len(observations) * layout.width)
    table = np.zeros((len(observations), layout.width), np.float32)
    with np.errstate(over="ignore"):
        table[:, layout.obs] = observations
        table[:, layout.next_obs] = observations if following is None else following
    terminals = validate.as_flags(name, "terminals", arrays["terminals"])
    timeouts = validate.as_flags(name, "timeouts", arrays.get("timeouts", np.zeros(len(table), np.bool_)))
    ends, known_next, warnings = d4rl.divide(name, table, layout, (terminals, timeouts), following is not None)
    last_known = bool(known_next.all())
    if not last_known:
        warnings = [
            f"{name} does not know the last next observation of its episodes: Minari's last observation of each "
            f"repeats the one before, and a run leaves those rows out."
        ]
    rows = Rows(
        observations=observations,
        actions=arrays["actions"],
        next_observations=following,
        rewards=arrays["rewards"],
        terminals=terminals,
        timeouts=timeouts,
        infos=infos,
        ends=ends,
        last_known=last_known,
    )
    return rows, warnings


def _infos_and_rest(file: h5py.File, rows: int) -> tuple[list[str], list[str]]:
    """Keys below infos that hold numbers for each row, and the keys of everything else that is no column."""
    inside: list[str] = []
    group = file.get("infos")
    if isinstance(group, h5py.Group):
        group.visititems(lambda key, item: inside.append(key) if isinstance(item, h5py.Dataset) else None)
    infos = [
        key
        for key in inside
        if (found := file[f"infos/{key}"]).dtype.kind in "fiub"
        and found.shape
        and found.shape[0] == rows
        and key != "next_observations"
    ]
    rest = [key for key in file if key not in (*COLUMNS, "infos")]
    return infos, rest + [f"infos/{key}" for key in inside if key not in infos]


def _keep_rest(name: str, target: Path, keys: list[str]) -> None:
    with hdf5.opened(name) as file:
        if not keys and not file.attrs:
            return
        with h5py.File(target, "w") as kept:
            kept.attrs.update(file.attrs)
            for key in keys:
                copy(file, kept, key)


def copy(source: h5py.File, target: h5py.File, key: str) -> None:
    """Copy whatever is at `key`, as it is, making the groups it lies in."""
    parent = target.require_group(key.rpartition("/")[0] or "/")
    source.copy(key, parent, name=key.rpartition("/")[2])


def _completed(about: About, name: str, file: h5py.File, task: str, sha256: str) -> About:
    genuine = catalogue.identify(sha256)
    what = f"D4RL {genuine}" if genuine else Path(name).name
    return replace(
        about,
        algorithm=about.algorithm or labels.made_by(file) or hdf5.text(file.attrs.get("algorithm")),
        description=about.description or f"{what}, imported from D4RL's layout (sha256 {sha256}).",
        reference=about.reference or labels.reference(name, file) or scores.reference(task),
    )


def _imported(dataset_id: str, own: dict[str, Any]) -> MinariFacts | None:
    """The set of this id, if it was imported from the same file."""
    try:
        there = minari_set.find(dataset_id)
    except DataError:
        return None
    return there if there.own.get(OWN) == own[OWN] else None


def _form(array: Array) -> list[Any]:
    return [array.dtype.str, list(array.shape[1:])]
