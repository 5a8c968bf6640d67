"""The run directory: where everything a run knows lies, and how its files are written.

Standard library only: the trainer writes these files, the keeper and the consoles read them.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_NO_RUN, EXIT_RUNNING, EXIT_LOST, EXIT_STOPPED, EXIT_CTRL_C = (
    0, 1, 2, 3, 4, 5, 75, 130,
)  # fmt: skip
"""Frozen exit codes of the trainer and of every command."""


class RunDirError(Exception):
    """A run directory that is missing, foreign or held by another process; the message is one sentence."""


class AlreadyRunning(RunDirError):
    """Another process holds the run's lock."""


class Superseded(RunDirError):
    """A later attempt owns the run now; this process must write no more."""


class RunDir:
    """The paths of one run, `runs/<id>/`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config = self.path / "config.toml"
        self.state = self.path / "state.json"
        self.keeper = self.path / "keeper.json"
        self.events = self.path / "events.jsonl"
        self.beat = self.path / "beat"
        self.control = self.path / "control"
        self.checkpoints = self.path / "checkpoints"
        self.log = self.path / "log"
        self.lock = self.path / "lock"

    @property
    def id(self) -> str:
        return self.path.resolve().name

    def exists(self) -> bool:
        return self.config.is_file()

    def make(self) -> None:
        """Create the folders that a run needs; existing ones stay."""
        for folder in (self.beat, self.control, self.checkpoints, self.log):
            folder.mkdir(parents=True, exist_ok=True)


def write_atomic(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace `path` by `text` so that a reader sees the old or the new file, never a part.

    `durable` also fsyncs the file and its folder, so that the new text outlives a power cut.
    """
    tmp = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(tmp, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        tmp.replace(path)
    except OSError:
        tmp.unlink(missing_ok=True)
        raise
    if durable:
        fsync(path.parent)


def fsync(path: Path) -> None:
    """Make what a file holds, or a rename inside a folder, outlive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """`write_atomic` of `value` as JSON."""
    write_atomic(path, json.dumps(value, indent=1) + "\n", durable=durable)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object at `path`, or None where there is none or it is not one."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def boot_id() -> str:
    """This boot of this host; with the pid and its start tick it names a process for ever."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_ticks(pid: int) -> int | None:
    """Clock ticks from boot to the start of `pid`, or None if there is no such process (or it is a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def this_process(nonce: str = "") -> dict[str, Any]:
    """Identity of the calling process: host, boot, pid, start ticks, nonce."""
    pid = os.getpid()
    return {
        "host": os.uname().nodename,
        "boot": boot_id(),
        "pid": pid,
        "start": start_ticks(pid),
        "nonce": nonce or os.urandom(8).hex(),
    }


class Lock:
    """The run's flock, held by the trainer for its life; the kernel drops it at any death.

    The descriptor is closed on exec, so no grandchild keeps it.
    """

    def __init__(self, run: RunDir) -> None:
        self._fd = os.open(run.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise AlreadyRunning(f"run {run.id} is already running: its lock {run.lock} is held") from None

    def release(self) -> None:
        os.close(self._fd)


def is_locked(run: RunDir) -> bool:
    """Whether a trainer on this host (or a lock-keeping network file system) holds the run."""
    try:
        Lock(run).release()
    except AlreadyRunning:
        return True
    except OSError:
        return False
    return False


class Lease:
    """The trainer's state.json: who owns the run, and where it is.

    Each attempt takes the next number. `check` is one stat unless another process replaced the file.
    """

    def __init__(self, run: RunDir, **fields: Any) -> None:
        before = read_json(run.state) or {}
        self._path = run.state
        self.attempt = int(before.get("attempt", 0)) + 1
        self.paused_before = bool(before.get("paused", False))
        self._fields: dict[str, Any] = {"v": 1, "attempt": self.attempt, "identity": this_process(), "paused": False}
        self.update(**fields)

    def update(self, *, durable: bool = True, **fields: Any) -> None:
        """Write the state with `fields` changed."""
        self._fields.update(fields)
        write_json(self._path, self._fields, durable=durable)
        self._stamp = self._stat()

    def check(self) -> None:
        """Raise Superseded if a later attempt has taken the run."""
        if self._stat() != self._stamp:
            now = read_json(self._path) or {}
            if now.get("identity") != self._fields["identity"]:
                raise Superseded(
                    f"attempt {self.attempt} of this run was superseded by attempt {now.get('attempt')}: it stops"
                )
            self._stamp = self._stat()

    def _stat(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns


class Beat:
    """The heartbeat: one empty file whose name is a running number and the seconds promised to the next."""

    def __init__(self, run: RunDir) -> None:
        self._folder = run.beat
        now = read_beat(run)
        self._number = now[0] if now else 0
        for stale in self._folder.iterdir():
            stale.unlink(missing_ok=True)
        self._path = self._folder / f"{self._number}-60"
        self._path.touch()

    def __call__(self, promise_s: float) -> None:
        self._number += 1
        new = self._folder / f"{self._number}-{promise_s:g}"
        os.utime(self._path)
        self._path = self._path.rename(new)


def read_beat(run: RunDir) -> tuple[int, float, float] | None:
    """(number, promised seconds, unix time of the beat), or None before the first."""
    best: tuple[int, float, float] | None = None
    try:
        with os.scandir(run.beat) as entries:
            found = list(entries)
    except OSError:
        return None
    for entry in found:
        number, _, promise = entry.name.partition("-")
        try:
            beat = int(number), float(promise), entry.stat().st_mtime
        except (OSError, ValueError):
            continue
        best = max(best, beat) if best else beat
    return best
