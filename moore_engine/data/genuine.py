"""Which official D4RL v2 file a file is, by its sha256 (d4rl_v2_checksums.json), and which tasks it may be used for."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from moore_engine.data.errors import DataError

_FAMILIES = {"halfcheetah": "HalfCheetah", "hopper": "Hopper", "walker2d": "Walker2d"}


@dataclass(frozen=True)
class Identity:
    """A file's sha256, and which official data set (`hopper_medium-v2`) it is, or is `alike` in size or name."""

    sha256: str
    genuine: str | None
    alike: str | None

    def warnings(self, name: str, task: str) -> list[str]:
        """What a person should know before using the file for `task`; DataError if the task's dynamics are not its
        own."""
        if self.genuine is None:
            if self.alike is None:
                return []
            return [f"{name} looks like D4RL's {self.alike} but its checksum differs: it was altered or damaged."]
        family = _FAMILIES[self.genuine.split("_")[0]]
        found, _, version = task.rpartition("-")
        if found != family or (family == "Walker2d" and version == "v5"):
            why = " with another right foot friction" if found == family else ""
            raise DataError(
                f"{name} is D4RL's {self.genuine} and {task} is another task{why}: set data.task to {family}-v4."
            )
        if version == "v5":
            return [f"{name} is D4RL's {self.genuine}, whose scores are defined on {family}-v4 and not on {task}."]
        return []


@functools.cache
def official() -> dict[str, dict[str, Any]]:
    """Facts by name (`hopper_medium-v2`): bytes, sha256, total_rows, terminals and, for most, return statistics."""
    text = resources.files("moore_engine.data").joinpath("d4rl_v2_checksums.json").read_text(encoding="utf-8")
    return {name.removesuffix(".hdf5"): facts for name, facts in json.loads(text).items()}


def of_size(size: int) -> str | None:
    """The official data set whose file has exactly this many bytes."""
    return next((name for name, facts in official().items() if facts["bytes"] == size), None)


def identify(name: str, sha256: str) -> Identity:
    """The identity of the file `name` whose checksum was taken."""
    genuine = next((known for known, facts in official().items() if facts["sha256"] == sha256), None)
    stem = Path(name).stem
    alike = of_size(Path(name).stat().st_size) or (stem if stem in official() else None)
    return Identity(sha256, genuine, None if genuine else alike)
