"""Checkpoints: the whole state of a run as safetensors and JSON, written aside, fsynced and renamed into place.

`checkpoints/ckpt-<step>/` holds `state.json` (the nested state with tensors named), one `.safetensors` file a top-level
part, and `manifest.json` with the sha256 of each. No pickle: loading a stranger's checkpoint executes nothing. Torch is
imported only to save or load: the trainer's signal handlers, and readers of manifests, come before it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moore_engine.rundir import RunDir, fsync, read_json

if TYPE_CHECKING:
    from torch import Tensor

SWITCH = "switch"
"""Name of the checkpoint kept from the moment a run goes online; branches start from it."""


@dataclass(frozen=True)
class Sealed:
    """A part of a state that will never change again, such as a full block of rows: it is written once.

    Later checkpoints hold the same file by a hard link, so that a growing state costs the disk only what is new.
    """

    value: Any


class CheckpointError(Exception):
    """A checkpoint that is missing, damaged or not this run's; the message is one sentence."""


@dataclass(frozen=True)
class Checkpoint:
    """A written checkpoint: its folder and its manifest."""

    path: Path
    manifest: dict[str, Any]

    @property
    def number(self) -> int:
        return int(self.manifest["number"])

    @property
    def bytes(self) -> int:
        return sum(int(file["bytes"]) for file in self.manifest["files"].values())

    def digest(self) -> str:
        """sha256 over the manifest's file hashes: names this state whatever the folder is called."""
        text = "".join(f"{name}:{file['sha256']}\n" for name, file in sorted(self.manifest["files"].items()))
        return hashlib.sha256(text.encode()).hexdigest()


def save(
    run: RunDir, state: dict[str, Any], *, step: int, name: str = "", like: Checkpoint | None = None, **facts: Any
) -> Checkpoint:
    """Write `state` (nested dict of tensors, arrays, JSON values) as `name` or the next free `ckpt-<step>`.

    `like` is the checkpoint that this state went on from: its `Sealed` parts are this one's too, and are not written
    again. The folder appears whole or not at all, and outlives a power cut once this returns. `facts` go into the
    manifest. Raises OSError when the disk is full, having removed what it wrote.
    """
    number = max((each.number for each in listing(run)), default=0) + 1
    final = run.checkpoints / (name or _free_name(run, step))
    tmp = run.checkpoints / f"tmp-{final.name}"
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    try:
        files = dict(_write(tmp, state, like))
        manifest = {"v": 1, "number": number, "step": step, "t": round(time.time(), 3), "files": files, **facts}
        _write_durable(tmp / "manifest.json", json.dumps(manifest, indent=1).encode())
        fsync(tmp)
        if final.exists():
            shutil.rmtree(final)
        tmp.rename(final)
    except BaseException:
        shutil.rmtree(tmp, ignore_errors=True)
        raise
    fsync(run.checkpoints)
    return Checkpoint(final, manifest)


def listing(run: RunDir) -> list[Checkpoint]:
    """All whole checkpoints of a run, oldest first; unfinished ones (`tmp-`) are not checkpoints."""
    found = []
    if run.checkpoints.is_dir():
        for folder in run.checkpoints.iterdir():
            manifest = None if folder.name.startswith("tmp-") else read_json(folder / "manifest.json")
            if manifest and isinstance(manifest.get("files"), dict):
                found.append(Checkpoint(folder, manifest))
    return sorted(found, key=lambda each: each.number)


def find(run: RunDir, name: str = "latest") -> Checkpoint:
    """The checkpoint called `name` ("latest" for the newest); raises CheckpointError naming those there are."""
    every = listing(run)
    if name == "latest" and every:
        return every[-1]
    for each in every:
        if each.path.name == name:
            return each
    there = ", ".join(each.path.name for each in every) or "none yet"
    raise CheckpointError(f"run {run.id} has no checkpoint {name!r}; it has: {there}.")


def load(checkpoint: Checkpoint) -> dict[str, Any]:
    """The state as it was saved, every file's sha256 checked; raises CheckpointError when one differs."""
    for name, file in checkpoint.manifest["files"].items():
        try:
            digest = _sha256(checkpoint.path / name)
        except OSError as error:
            raise CheckpointError(f"{checkpoint.path.name}/{name} cannot be read: {error.strerror}.") from None
        if digest != file["sha256"]:
            raise CheckpointError(f"{checkpoint.path.name}/{name} is damaged: its sha256 is not the manifest's.")
    from safetensors.torch import load_file

    tree = json.loads((checkpoint.path / "state.json").read_bytes())
    parts = {path.stem: load_file(path) for path in checkpoint.path.glob("*.safetensors")}
    return {key: _restore(value, parts.get(key, {})) for key, value in tree.items()}


def prune(run: RunDir, keep: int) -> None:
    """Remove unfinished checkpoints and all but the newest `keep` (the switch one stays)."""
    for folder in run.checkpoints.glob("tmp-*"):
        shutil.rmtree(folder, ignore_errors=True)
    passing = [each for each in listing(run) if each.path.name != SWITCH]
    for each in passing[: max(0, len(passing) - max(1, keep))]:
        (each.path / "manifest.json").unlink()  # first: without it the rest is no checkpoint
        shutil.rmtree(each.path, ignore_errors=True)


def _free_name(run: RunDir, step: int) -> str:
    name, again = f"ckpt-{step}", 0
    while (run.checkpoints / name).exists():
        again += 1
        name = f"ckpt-{step}.{again}"
    return name


def _write(folder: Path, state: dict[str, Any], like: Checkpoint | None) -> Iterator[tuple[str, dict[str, Any]]]:
    from safetensors.torch import save_file

    tree: dict[str, Any] = {}
    for part, given in state.items():
        value = given.value if isinstance(given, Sealed) else given
        tensors: dict[str, Tensor] = {}
        tree[part] = _extract(value, "", tensors)
        if not tensors:
            continue
        path = folder / f"{part}.safetensors"
        if like and isinstance(given, Sealed) and _linked(path, like):
            yield path.name, like.manifest["files"][path.name]
            continue
        save_file(tensors, path)
        fsync(path)
        yield path.name, {"sha256": _sha256(path), "bytes": path.stat().st_size}
    text = json.dumps(tree).encode()
    _write_durable(folder / "state.json", text)
    yield "state.json", {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}


def _linked(path: Path, like: Checkpoint) -> bool:
    """Whether `path` could be made the same file as that of its name in `like`; not every file system has links."""
    if path.name not in like.manifest["files"]:
        return False
    try:
        os.link(like.path / path.name, path)
    except OSError:
        return False
    return True


def _extract(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """`value` with each tensor or array replaced by its name; the tensors go into `tensors`."""
    import numpy as np
    import torch

    if isinstance(value, dict):
        return {key: _extract(item, f"{path}.{key}" if path else str(key), tensors) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        tensors[path or "value"] = value.detach().cpu().contiguous()
        return {"$tensor": path or "value"}
    if isinstance(value, np.ndarray):
        tensors[path or "value"] = torch.from_numpy(np.ascontiguousarray(value)).reshape(value.shape)
        return {"$array": path or "value"}
    return value


def _restore(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$tensor"}:
        return tensors[value["$tensor"]]
    if value.keys() == {"$array"}:
        return tensors[value["$array"]].numpy()
    return {key: _restore(item, tensors) for key, item in value.items()}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_durable(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
