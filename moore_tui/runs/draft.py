"""A run in the making, as the launch screen edits it. A draft is a value: every change gives a new one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from moore_engine.config import ConfigError
from moore_engine.rundir import RunDir
from moore_tui.runs.launch import Wish

SOURCE, PROFILE, ALGO, DATA, SEED, NAME, FROM, TRUST = (
    "source", "profile", "run.algo", "data.path", "run.seed", "run.name", "run.from", "trust",
)  # fmt: skip
"""Fields of a draft that stand apart from the settings; those with a dot are keys of the configuration too."""

MOST_SEEDS = 100


@dataclass(frozen=True)
class Draft:
    """`source` is a preset or a file; an empty `algo`, `data`, `name` or `origin` takes the source's own. `algo` may be a
    variant of an algorithm's preset, and brings its settings.

    `seeds` is text (`3`, `0-4`, `0,3,7`), as are the values of `edits`. `copy_of` is the run whose frozen
    configuration is the source.
    """

    source: str = "quickstart"
    profile: str | None = None
    algo: str = ""
    data: str = ""
    seeds: str = ""
    name: str = ""
    origin: str = ""
    edits: Mapping[str, str] = field(default_factory=dict)
    trust: tuple[str, ...] = ()
    copy_of: str = ""

    def text(self, name: str) -> str:
        """What is typed at a field or key; empty where the source's own value holds."""
        plain = {
            SOURCE: self.source, PROFILE: self.profile or "", ALGO: self.algo, DATA: self.data, SEED: self.seeds,
            NAME: self.name, FROM: self.origin, TRUST: ", ".join(self.trust),
        }  # fmt: skip
        return plain[name] if name in plain else self.edits.get(name, "")

    def change(self, name: str, text: str) -> Draft:
        """The draft with a field or key set to `text`."""
        text = text.strip()
        match name:
            case "source":
                return replace(self, source=text, copy_of="")
            case "profile":
                return replace(self, profile=text or None)
            case "run.algo":
                return replace(self, algo=text)
            case "data.path":
                return replace(self, data=text)
            case "run.seed":
                return replace(self, seeds=text)
            case "run.name":
                return replace(self, name=text)
            case "run.from":
                return replace(self, origin=text)
            case "trust":
                return replace(self, trust=tuple(filter(None, re.split(r"[\s,]+", text))))
        return replace(self, edits={**self.edits, name: text})

    def reset(self, name: str) -> Draft:
        """The draft with the source's own value of a field or key."""
        if name in self.edits:
            return replace(self, edits={key: text for key, text in self.edits.items() if key != name})
        return self if name == SOURCE else self.change(name, "")

    def wish(self) -> Wish:
        """What `launch` understands; raises ConfigError where the seeds are none."""
        seeds = read_seeds(self.seeds)
        sets = [f"{key}={text}" for key, text in self.edits.items()]
        if self.copy_of:
            sets = [*_afresh(self), *sets]
        flags = {
            "algo": self.algo or None, "data": self.data or None, "name": self.name or None,
            "from": self.origin or None,
        }  # fmt: skip
        if len(seeds) == 1:
            flags["seed"] = seeds[0]  # type: ignore[assignment]
        return Wish(self.source, sets, flags, self.profile, self.trust, seeds if len(seeds) > 1 else (), self.stem)

    @property
    def stem(self) -> str:
        """Begins the name of a run that is given none: of a copy, the other run's name without its seed and number."""
        return re.sub(r"-s\d+(-\d+)?$", "", self.copy_of)

    def command(self) -> str:
        """The line for a shell that starts the same; several seeds make it a loop."""
        several = len(seeds := read_seeds(self.seeds)) > 1
        words = ["moore-console", "run", self.source]
        options = {
            "--profile": self.profile, "--algo": self.algo, "--data": self.data, "--from": self.origin,
            "--name": f"{self.name}-s$seed" if self.name and several else self.name,
            "--seed": "$seed" if several else self.seeds,
        }  # fmt: skip
        for option, value in options.items():
            words += [option, value] if value else []
        for text in self.wish().sets:
            words += ["--set", text]
        for name in self.trust:
            words += ["--trust-code", name]
        line = re.sub(r"'([\w.+=,-]*\$seed)'", r'"\1"', shlex.join([*words, "--detach"]))
        return f"for seed in {' '.join(map(str, seeds))}; do {line}; done" if several else line


def read_seeds(typed: str) -> list[int]:
    """The seeds of `3`, `0-4` or `0,3,7`; none of an empty text. Raises ConfigError."""
    found: list[int] = []
    for part in filter(None, re.split(r"[\s,]+", typed)):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if match is None:
            raise ConfigError(f"{part!r} is no seed: write 3, or several as 0-4 or 0,3,7.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ConfigError(f"the seeds {part} go backwards: write {last}-{first}.")
        if last - first >= MOST_SEEDS or len(found) + last - first >= MOST_SEEDS:
            raise ConfigError(f"these are more than {MOST_SEEDS} seeds: start fewer runs at once.")
        found += range(first, last + 1)
    twice = next((seed for seed in found if found.count(seed) > 1), None)
    if twice is not None:
        raise ConfigError(f"seed {twice} stands there twice: two runs of one seed are the same run.")
    return found


def copy(run: RunDir) -> Draft:
    """A draft of what the run was made of, for another run of it."""
    return Draft(source=str(run.config.resolve()), copy_of=run.id)


def branch(run: RunDir, where: str = "switch") -> Draft:
    """A draft that goes on from a saved state of the run."""
    return replace(copy(run), origin=f"{run.id}@{where}")


def _afresh(draft: Draft) -> list[str]:
    """Values of a frozen configuration that another run must find for itself."""
    return [f"{NAME}="] + (["data.sha256=", "data.ref_min=none", "data.ref_max=none"] if draft.data else [])
