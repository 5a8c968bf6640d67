"""Exported policies act as the original does, and a file that would not is never put in place."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import moore_engine.export as export_module
from moore_engine.export import ExportError, export_policy
from moore_engine.nn.mlp import Affine
from moore_engine.sac import SAC


def policy() -> torch.nn.Sequential:
    sac = SAC(5, 2, hidden=(16, 8), generator=torch.Generator().manual_seed(0))
    return sac.policy_module([-1.0, 0.0], [1.0, 4.0])


def test_both_files_give_the_policys_actions_for_any_number_of_rows(tmp_path: Path) -> None:
    import onnxruntime

    module = policy()
    exported = export_policy(module, tmp_path / "out", 5)
    assert exported.max_error <= 1e-5
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["policy.onnx", "policy.pt"]
    session = onnxruntime.InferenceSession(str(exported.onnx), providers=["CPUExecutionProvider"])
    script = export_module._script(exported.torchscript)
    for n in (1, 7):
        obs = torch.randn(n, 5, generator=torch.Generator().manual_seed(n))
        torch.testing.assert_close(script(obs), module(obs))
        np.testing.assert_allclose(session.run(None, {"obs": obs.numpy()})[0], module(obs).numpy(), atol=1e-5)


def test_observations_may_be_normalised_by_a_first_layer(tmp_path: Path) -> None:
    first = Affine(torch.tensor([0.5, -1.0, 0.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 0.1, 1.0, 4.0]))
    assert export_policy(torch.nn.Sequential(first, *policy()), tmp_path, 5).max_error <= 1e-5


def test_a_file_that_disagrees_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = export_module._write_onnx

    def wrong(module: torch.nn.Sequential, path: Path, obs: torch.Tensor) -> None:
        head = module[-3]
        assert isinstance(head, torch.nn.Linear)
        head.bias.data += 1e-3
        right(module, path, obs)
        head.bias.data -= 1e-3

    monkeypatch.setattr(export_module, "_write_onnx", wrong)
    with pytest.raises(ExportError, match=r"policy\.onnx differs from the policy by 0\.00"):
        export_policy(policy(), tmp_path, 5)
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    module = policy()
    for parameter in module.parameters():
        parameter.fill_(float("nan"))
    with pytest.raises(ExportError, match="differs from the policy by nan"):
        export_policy(module, tmp_path, 5)


def test_an_unknown_layer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="a GELU layer"):
        export_policy(torch.nn.Sequential(torch.nn.Linear(5, 2), torch.nn.GELU()), tmp_path, 5)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match="moore-console\\[export\\]"):
        export_policy(policy(), tmp_path, 5)


def test_importing_it_imports_neither_torch_nor_onnx() -> None:
    import subprocess

    code = "import sys, moore_engine.export; print([m for m in ('torch', 'onnx', 'onnxruntime') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
