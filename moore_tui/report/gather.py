"""What a report knows of each run: its evaluations, shares, uncertainties and how it is grouped, read from its files.

Dead attempts are left out and a branch has the curve of the run that it began from before its own, as everywhere in
the console (moore_tui.runs.lineage). Unfinished runs are read as far as they have come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from moore_engine import config as configs
from moore_engine.config import Config
from moore_engine.rundir import RunDir
from moore_tui.report.columns import EVAL, RUE, SHARE, UNC, Columns, Event, columns, sound
from moore_tui.runs import compare, lineage, model
from moore_tui.runs.comparison import value
from moore_tui.runs.errors import ConsoleError
from moore_tui.runs.written import real, text

NOT_TELLING = ("online.epochs", "checkpoint.every_epochs", "checkpoint.keep", "data.sha256", "data.task")
"""Keys that tell no groups apart: runs are compared at equal environment steps, and within one task and data set."""


class UnreadableRun(ConsoleError):
    """A run of which no report can be made, as one sentence."""

    exit_code = 2


@dataclass(frozen=True, eq=False)
class RunFacts:
    """One run. Every Columns has `stage`, `epoch`, `update` and `env_step` beside what is said here.

    `id` is its name, with that of its folder where other runs of the report are called so too.
    `group` is the algorithm with the keys in which its runs on this task and data differ: "moore sampler=uniform".
    `offline_evals` and `online_evals` have EVAL's columns, without the evaluations of the frozen policy at the switch,
    which are `baseline`; `share` has SHARE's columns, `unc` UNC's, `rue` RUE's. `offline_evals` are those of the run
    it branched off too, and end at the switch (their env_step is 0); MBPO and branches whose trunk is gone have none.
    `evaluations` are the `eval` events themselves, the inherited ones first. `data_sha256` is "" where a run
    has no data. `finished` says that it came to its planned end. `remarks` are sentences that a reader of its figures
    must know. `origin` is the path of the run it branched off, "" if it did not.
    """

    id: str
    path: Path
    algo: str
    task: str
    seed: int
    config: Config
    group: str
    dataset: str
    data_sha256: str
    versions: Mapping[str, str]
    state: str
    finished: bool
    origin: str
    offline_evals: Columns
    online_evals: Columns
    baseline: Columns
    share: Columns
    unc: Columns
    rue: Columns
    evaluations: Sequence[Event]
    outcome: compare.Outcome
    remarks: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trunk(self) -> str:
        """The name of the run it branched off; "" if it did not."""
        return Path(self.origin).name

    @property
    def warnings(self) -> tuple[str, ...]:
        """`remarks`, and that it is unfinished if it is."""
        unfinished = f"{self.id} is {self.state}: its figures are those of the evaluations so far."
        return (*(() if self.finished else (unfinished,)), *self.remarks)

    @property
    def unit(self) -> str:
        """ "score" where every evaluation of the run has one, else "return"."""
        return self.outcome.unit

    @property
    def column(self) -> str:
        """The column of its evaluations that is in its unit: "score" or "return_mean"."""
        return compare.FIELDS[self.unit]

    @property
    def offline_score(self) -> float | None:
        """What it went online with, in its unit: the frozen policy at the switch, else the last offline evaluation."""
        return self.outcome.offline.value if self.outcome.offline else None

    @property
    def final(self) -> float | None:
        """The last online evaluation, in its unit; never the best one."""
        return self.outcome.final.value if self.outcome.final else None

    @property
    def dip(self) -> compare.Dip | None:
        return self.outcome.dip

    @property
    def net_dip(self) -> float | None:
        """The dip without what an unchanged policy would show; None without evaluations of the frozen policy."""
        return self.outcome.dip.net if self.outcome.dip else None

    @property
    def last_step(self) -> float:
        """Environment steps at the last online evaluation; 0 before the first."""
        steps = self.online_evals["env_step"]
        return float(steps[-1]) if len(steps) else 0.0


def gather(
    paths: Sequence[Path | str],
    left_out: list[str] | None = None,
    tell: Callable[[int, str], None] = lambda place, name: None,
) -> list[RunFacts]:
    """Read the runs, in the order given, and label them; `tell` hears each one's place and name before it is read.

    A run that cannot be read raises UnreadableRun; with `left_out` its sentence is put there instead.
    """
    found = []
    for place, path in enumerate(map(Path, paths)):
        tell(place, path.name)
        try:
            found.append(read(path))
        except UnreadableRun as error:
            if left_out is None:
                raise
            left_out.append(str(error))
    return labelled(named_apart(found))


def read(path: Path) -> RunFacts:
    """One run, its group still its algorithm; raises UnreadableRun."""
    run = RunDir(path)
    config, settings = _configuration(run)
    if config.run.algo == "collect":
        raise UnreadableRun(f"run {run.id} collects a data set and learns no policy to report on")
    own, earlier = lineage.history(run)
    own, earlier = list(filter(sound, own)), list(filter(sound, earlier))
    events = [*earlier, *own]
    attempts = [event for event in own if event["k"] == "run"]
    evals = [event for event in events if event["k"] == "eval" and real(event.get("return_mean")) is not None]
    normal = [event for event in evals if not event.get("baseline")]
    state = model.snapshot(run).state
    task = next((name for event in attempts[::-1] if (name := text(event.get("task")))), config.data.task)
    sha256 = next((sha for event in attempts[::-1] if (sha := text(event.get("sha256")))), config.data.sha256)
    origin = config.run.from_.partition("#")[0].rpartition("@")[0]
    return RunFacts(
        id=run.id,
        path=path,
        algo=config.run.algo,
        task=task,
        seed=config.run.seed,
        config=config,
        group=config.run.algo,
        dataset=config.data.path,
        data_sha256=sha256,
        versions=_versions(attempts[-1:]),
        state=state,
        finished=state == "done",
        origin=origin,
        offline_evals=columns([event for event in normal if event["stage"] == "offline"], EVAL),
        online_evals=columns([event for event in normal if event["stage"] == "online"], EVAL),
        baseline=columns([event for event in evals if event.get("baseline")], EVAL),
        share=columns([event for event in events if event["k"] == "share"], SHARE),
        unc=columns([event for event in events if event["k"] == "unc"], UNC),
        rue=columns([event for event in events if event["k"] == "rue"], RUE),
        evaluations=tuple(evals),
        outcome=compare.outcome(own, earlier),
        remarks=_remarks(run.id, attempts, origin, earlier),
        settings=settings,
    )


def named_apart(runs: Sequence[RunFacts]) -> list[RunFacts]:
    """Runs of one name in several folders are told apart by these: "nightly/moore-s0"."""
    found = list(runs)
    for depth in range(1, max((len(run.path.resolve().parts) for run in runs), default=1)):
        names = [run.id for run in found]
        if len(set(names)) == len(names):
            break
        for place, run in enumerate(found):
            if names.count(run.id) > 1:
                found[place] = replace(run, id="/".join(run.path.resolve().parts[-1 - depth :]))
    return found


def labelled(runs: Sequence[RunFacts]) -> list[RunFacts]:
    """The runs with their groups: what tells them from the runs of the same algorithm, task and data."""
    members: dict[tuple[str, ...], list[int]] = {}
    for place, run in enumerate(runs):
        members.setdefault((run.task, run.data_sha256, run.algo), []).append(place)
    found = list(runs)
    for places in members.values():
        differences = lineage.differences([_telling(runs[place].settings) for place in places])
        names = [key.partition(".")[2] for key, _ in differences]
        for index, place in enumerate(places):
            words = [
                f"{name if names.count(name) == 1 else key}={value(key, values[index])}"
                for name, (key, values) in zip(names, differences, strict=True)
                if values[index] is not lineage.NO_EFFECT
            ]
            found[place] = replace(runs[place], group=" ".join([runs[place].algo, *words]))
    return found


def _telling(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in settings.items() if key not in NOT_TELLING and not key.startswith("eval.")}


def _configuration(run: RunDir) -> tuple[Config, dict[str, Any]]:
    try:
        return configs.load(run.config), lineage.settings(run)
    except OSError as error:
        raise UnreadableRun(f"{run.config} cannot be read ({error.strerror or error})") from None
    except (ValueError, AttributeError) as error:
        raise UnreadableRun(f"the configuration of run {run.id} cannot be used: {error}") from None


def _versions(attempts: Sequence[Event]) -> dict[str, str]:
    told = attempts[-1].get("versions") if attempts else None
    return {str(name): str(version) for name, version in told.items()} if isinstance(told, dict) else {}


def _remarks(run: str, attempts: Sequence[Event], origin: str, earlier: Sequence[Event]) -> tuple[str, ...]:
    found = []
    if origin and not earlier:
        found.append(f"{run} branched off {origin}, which is gone: its offline stage is not known.")
    made = [tuple(sorted(_versions([event]).items())) for event in attempts]
    if len(set(made)) > 1:
        found.append(f"{run} was continued with other package versions; those of its last attempt are named.")
    return tuple(found)
