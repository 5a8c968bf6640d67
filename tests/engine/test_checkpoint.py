"""Checkpoints: whole or absent, equal when read back, damaged ones found out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from moore_engine import checkpoint
from moore_engine.rundir import RunDir

STATE = {
    "counters": {"update": 3, "open": "", "none": None, "list": [1, 2.5, "x"]},
    "sac": {"params": torch.arange(5.0), "nested": {"step": torch.tensor(7), "lr": 1e-3}},
    "env": {"integration": np.linspace(0, 1, 7), "rng": {"state": {"int": str(2**127)}}},
    "noise": torch.Generator().manual_seed(1).get_state(),
    "nothing": None,
}


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path)
    run.make()
    return run


def test_a_state_is_read_back_bit_for_bit_with_its_types(run: RunDir) -> None:
    back = checkpoint.load(checkpoint.save(run, STATE, step=3))
    assert back["counters"] == STATE["counters"]
    assert torch.equal(back["sac"]["params"], STATE["sac"]["params"])
    assert back["sac"]["nested"]["step"].dtype == torch.int64
    assert back["sac"]["nested"]["lr"] == 1e-3
    assert isinstance(back["env"]["integration"], np.ndarray)
    assert np.array_equal(back["env"]["integration"], STATE["env"]["integration"])
    assert back["env"]["rng"] == STATE["env"]["rng"]
    assert torch.equal(back["noise"], STATE["noise"])
    assert back["nothing"] is None


def test_equal_states_have_equal_digests_and_a_changed_weight_another(run: RunDir) -> None:
    one, two = checkpoint.save(run, STATE, step=3), checkpoint.save(run, STATE, step=3)
    assert one.path != two.path
    assert one.digest() == two.digest()
    changed = {**STATE, "sac": {"params": torch.arange(5.0) + 1e-7}}
    assert checkpoint.save(run, changed, step=3).digest() != one.digest()


def test_the_newest_is_found_by_number_not_by_name(run: RunDir) -> None:
    checkpoint.save(run, STATE, step=1000)
    checkpoint.save(run, STATE, step=20)
    assert checkpoint.find(run).path.name == "ckpt-20"


def test_a_folder_without_a_manifest_is_no_checkpoint(run: RunDir) -> None:
    checkpoint.save(run, STATE, step=1)
    (run.checkpoints / "tmp-ckpt-2").mkdir()
    (run.checkpoints / "ckpt-9").mkdir()
    assert [each.path.name for each in checkpoint.listing(run)] == ["ckpt-1"]


@pytest.mark.parametrize("name", ["sac.safetensors", "state.json"])
def test_one_flipped_bit_is_refused_by_name(run: RunDir, name: str) -> None:
    saved = checkpoint.save(run, STATE, step=1)
    content = bytearray((saved.path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved.path / name).write_bytes(content)
    with pytest.raises(checkpoint.CheckpointError, match=f"{name} is damaged"):
        checkpoint.load(saved)


def test_a_missing_file_is_refused_by_name(run: RunDir) -> None:
    saved = checkpoint.save(run, STATE, step=1)
    (saved.path / "env.safetensors").unlink()
    with pytest.raises(checkpoint.CheckpointError, match=r"env\.safetensors cannot be read"):
        checkpoint.load(saved)


def test_pruning_keeps_the_newest_and_the_switch(run: RunDir) -> None:
    checkpoint.save(run, STATE, step=0, name=checkpoint.SWITCH)
    for step in (1, 2, 3):
        checkpoint.save(run, STATE, step=step)
    (run.checkpoints / "tmp-ckpt-4").mkdir()
    checkpoint.prune(run, keep=2)
    assert [each.path.name for each in checkpoint.listing(run)] == ["switch", "ckpt-2", "ckpt-3"]
    assert not (run.checkpoints / "tmp-ckpt-4").exists()


def test_a_failed_write_leaves_nothing(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write_durable", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(run, STATE, step=1)
    assert list(run.checkpoints.iterdir()) == []


def test_an_unknown_name_is_answered_with_those_there_are(run: RunDir) -> None:
    checkpoint.save(run, STATE, step=5)
    with pytest.raises(checkpoint.CheckpointError, match="ckpt-5"):
        checkpoint.find(run, "swich")


def test_the_manifest_names_every_file_and_only_plain_formats_are_used(run: RunDir) -> None:
    saved = checkpoint.save(run, STATE, step=1)
    names = {path.name for path in saved.path.iterdir()}
    assert names == {*saved.manifest["files"], "manifest.json"}
    assert {path.suffix for path in saved.path.iterdir()} == {".json", ".safetensors"}
    assert json.loads((saved.path / "state.json").read_text())["counters"]["update"] == 3
