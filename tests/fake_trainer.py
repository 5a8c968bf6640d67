"""A trainer that only counts: it speaks the run-directory contract and misbehaves as told. Standard library only.

`python tests/fake_trainer.py RUN_DIR`. RUN_DIR/fake.json, every key optional:

    epochs, updates_per_epoch     the work (2 and 10); one `loss` event an update, one `eval` an epoch
    checkpoint_every              updates between checkpoints (5)
    promise                       seconds promised by each heartbeat (10)
    pause_s                       seconds slept in each update (0)
    script                        list of {"attempt": n (any if left out), "update": u, "do": ..., "value": ...}

`do`, just after update u was counted (-1: before anything is written):

    signal, exit   kills itself with signal `value`, leaves with code `value`
    hang           stops itself for good (SIGSTOP)
    mute, wait     waits for the file RUN_DIR/`value`; "mute" without heartbeat and without looking at requests
    torn           writes half a line and dies of SIGKILL
    fail           records the failure `value` and exits 1
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from moore_engine import control, rundir
from moore_engine.events import EventWriter
from moore_engine.rundir import Beat, Lease, Lock, RunDir, read_json, write_json


class FakeTrainer:
    def __init__(self, run: RunDir, told: dict[str, Any]) -> None:
        self.run, self.told = run, told
        run.make()
        self.update = 0
        self.stop = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        self.lease = Lease(run, status="starting", t=time.time(), **self.position())
        self.paused = self.lease.paused_before
        self.beat = Beat(run)
        self.events = EventWriter(run.events, self.lease.attempt, self.position, self.lease.check)

    def position(self) -> dict[str, Any]:
        each = self.told.get("updates_per_epoch", 10)
        return {"stage": "offline", "epoch": max(0, self.update - 1) // each + 1, "update": self.update, "env_step": 0}

    def train(self) -> int:
        resumed = self._load()
        self.events.emit(
            "run", algo="fake", task="none", dataset="none", sha256="", seed=0, config_sha256="", resumed_seq=resumed,
            versions={}, cpu="",
        )  # fmt: skip
        self._status("training")
        self._misbehave()
        each, epochs = self.told.get("updates_per_epoch", 10), self.told.get("epochs", 2)
        while self.update < each * epochs:
            self._tick()
            self.update += 1
            self.events.emit("loss", q=1.0 / self.update, actor=0.0, temperature=0.1, entropy=1.0, q_mean=0.0)
            if self.update % each == 0:
                score = float(self.update)
                self.events.emit(
                    "eval", score=score, return_mean=score * 10, return_std=0.0, returns=[score * 10], length_mean=10.0
                )
                self._perf()
            if self.update % self.told.get("checkpoint_every", 5) == 0:
                self.save()
            self._misbehave()
            time.sleep(self.told.get("pause_s", 0))
        self.events.emit("end", state="done", exit=0)
        self._status("done", exit=0)
        return rundir.EXIT_DONE

    def save(self) -> str:
        self.events.fsync()
        final = self.run.checkpoints / f"ckpt-{self.update}"
        final.mkdir(exist_ok=True)
        write_json(final / "manifest.json", {"update": self.update, "seq": self.events.seq})
        self.events.emit("ckpt", path=final.name, bytes=0, seconds=0.0)
        self._status(None)
        return final.name

    def _load(self) -> int:
        best = max((int(path.name[5:]) for path in self.run.checkpoints.glob("ckpt-*")), default=None)
        if best is None:
            return 0
        manifest = read_json(self.run.checkpoints / f"ckpt-{best}" / "manifest.json") or {}
        self.update = manifest["update"]
        return int(manifest["seq"])

    def _tick(self) -> None:
        while True:
            self.lease.check()
            self.beat(self.told.get("promise", 10))
            if self.stop:
                self.save()
                raise SystemExit(self._ended("stopped", rundir.EXIT_STOPPED))
            for request in control.pending(self.run):
                self._serve(request)
            if not self.paused:
                return
            time.sleep(0.005)

    def _serve(self, request: control.Request) -> None:
        at, facts, ok, why = self.position(), {}, True, ""
        if request.verb == "pause":
            self.paused = True
            self._status("paused")
        elif request.verb == "resume":
            self.paused = False
            self._status("training")
        elif request.verb in ("checkpoint", "stop"):
            facts["path"] = self.save()
        elif request.verb != "set" or request.args.get("key") != "online.alpha":
            ok, why = False, f"cannot {request.verb} {request.args.get('key', '')}".strip()
        control.acknowledge(self.run, request, ok, why, **at, **facts)
        self.events.emit("ack", id=request.id, verb=request.verb, ok=ok, why=why)
        if request.verb == "stop":
            raise SystemExit(self._ended("stopped", rundir.EXIT_STOPPED))

    def _misbehave(self) -> None:
        for line in self.told.get("script", []):
            if line.get("attempt", self.lease.attempt) == self.lease.attempt and line["update"] == self.update:
                self._act(line["do"], line.get("value"))

    def _act(self, do: str, value: Any) -> None:
        if do == "wait":
            while not (self.run.path / value).exists():
                self._tick()
                time.sleep(0.005)
        elif do == "mute":
            while not (self.run.path / value).exists():
                time.sleep(0.005)
        elif do == "fail":
            raise SystemExit(self._ended("failed", rundir.EXIT_FAILED, error=str(value)))
        elif do == "torn":
            with open(self.run.events, "ab") as file:
                file.write(b'{"v":1,"seq":9999,"k":"lo')
            die(signal.SIGKILL)
        else:
            act(do, value)

    def _perf(self) -> None:
        self.events.emit("perf", env_steps_per_s=0.0, updates_per_s=100.0, phases={}, rss_mb=10.0, eta_s=60.0)

    def _status(self, status: str | None, **fields: Any) -> None:
        changes = fields if status is None else {"status": status, **fields}
        self.lease.update(durable=False, paused=self.paused, t=time.time(), **self.position(), **changes)

    def _ended(self, status: str, code: int, error: str = "") -> int:
        self.events.emit("end", state=status, exit=code)
        self._status(status, exit=code, error=error)
        return code

    def _on_stop(self, *_: Any) -> None:
        self.stop = True


def act(do: str, value: Any) -> None:
    if do == "exit":
        print("leaving because the script says so", file=sys.stderr, flush=True)
        os._exit(value)
    die(signal.SIGSTOP if do == "hang" else value)


def die(number: int) -> NoReturn:
    os.kill(os.getpid(), number)
    while True:
        signal.pause()


def main() -> int:
    run = RunDir(sys.argv[1])
    told = read_json(run.path / "fake.json") or {}
    print(f"fake trainer of {run.id}: {json.dumps(told)}", flush=True)
    state = read_json(run.state) or {}
    for line in told.get("script", []):
        number = int(state.get("attempt", 0)) + 1
        if line["update"] == -1 and line.get("attempt", number) == number:
            act(line["do"], line.get("value"))
    lock = Lock(run)
    if state.get("status") == "done":
        return rundir.EXIT_DONE
    code = FakeTrainer(run, told).train()
    lock.release()
    return code


if __name__ == "__main__":
    sys.exit(main())
