"""Write a trained policy for use without this package: TorchScript and ONNX, both checked against the original."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-5
OPSET = 17


class ExportError(RuntimeError):
    """The policy cannot be exported, or an exported file disagrees with it."""


class Exported(NamedTuple):
    """The files written, and the largest difference seen in any action."""

    torchscript: Path
    onnx: Path
    max_error: float


def export_policy(module: torch.nn.Sequential, directory: str | Path, obs_dim: int, *, seed: int = 0) -> Exported:
    """Write `policy.pt` (TorchScript) and `policy.onnx` (input `obs` (n, obs_dim), output `action`) into `directory`.

    `module` maps observations to actions by Linear, ReLU, Tanh, Affine and Clip layers, on the CPU. Each file is loaded
    again and compared with it on random observations; only files whose actions differ by at most 1e-5 (times the
    largest action where that is above 1) are put in place. Raises ExportError otherwise, also where onnx or
    onnxruntime is missing.
    """
    import torch

    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ExportError(f"exporting needs {error.name}: pip install 'moore-console[export]'") from error
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    dtype = next(module.parameters()).dtype
    generator = torch.Generator().manual_seed(seed)
    scale = 10 ** torch.linspace(-2, 2, 256, dtype=dtype)[:, None]
    obs = scale * torch.randn(256, obs_dim, dtype=dtype, generator=generator)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=directory) as scratch:
        script, graph = Path(scratch) / "policy.pt", Path(scratch) / "policy.onnx"
        _write_torchscript(module, script, obs)
        _write_onnx(module, graph, obs)
        errors = [_check(module, path, load(path), obs) for path, load in ((script, _script), (graph, _session))]
        return Exported(script.replace(directory / script.name), graph.replace(directory / graph.name), max(errors))


def _check(module: torch.nn.Module, path: Path, exported: Callable[[Any], Any], obs: torch.Tensor) -> float:
    """The largest difference between `module` and `exported` on `obs`, in one batch and on one row alone."""
    import torch

    worst = 0.0
    for rows in (obs, obs[:1]):
        with torch.no_grad():
            expected = module(rows)
        error = (exported(rows) - expected).abs().max().item()
        if not error <= TOLERANCE * max(1.0, expected.abs().max().item()):
            raise ExportError(f"{path.name} differs from the policy by {error:.3g} in an action; nothing was written")
        worst = max(worst, error)
    return worst


def _write_torchscript(module: torch.nn.Module, path: Path, obs: torch.Tensor) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(module, obs).save(str(path))


def _script(path: Path) -> Callable[[Any], Any]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path))


def _session(path: Path) -> Callable[[Any], Any]:
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda obs: torch.from_numpy(session.run(["action"], {"obs": obs.numpy()})[0])


def _write_onnx(module: torch.nn.Sequential, path: Path, obs: torch.Tensor) -> None:
    """One ONNX node a layer (Affine and Clip: two), so that no exporter of torch's, each version another, is needed."""
    import onnx
    from onnx import helper, numpy_helper

    nodes, constants, value = [], [], "obs"
    last = len(module) - 1
    for k, layer in enumerate(module):
        out = "action" if k == last else f"x{k}"
        tensors = {name: tensor.detach().cpu().numpy() for name, tensor in layer.state_dict().items()}
        constants += [numpy_helper.from_array(array, f"{k}.{name}") for name, array in tensors.items()]
        match type(layer).__name__:
            case "Linear":
                nodes.append(helper.make_node("Gemm", [value, f"{k}.weight", f"{k}.bias"], [out], transB=1))
            case "ReLU" | "Tanh" as name:
                nodes.append(helper.make_node(name.capitalize(), [value], [out]))
            case "Affine":
                nodes.append(helper.make_node("Mul", [value, f"{k}.scale"], [f"scaled{k}"]))
                nodes.append(helper.make_node("Add", [f"scaled{k}", f"{k}.offset"], [out]))
            case "Clip":
                nodes.append(helper.make_node("Max", [value, f"{k}.low"], [f"raised{k}"]))
                nodes.append(helper.make_node("Min", [f"raised{k}", f"{k}.high"], [out]))
            case name:
                raise ExportError(
                    f"a policy with a {name} layer cannot be exported: Linear, ReLU, Tanh, Affine, Clip can"
                )
        value = out
    kind = helper.np_dtype_to_tensor_dtype(obs.numpy().dtype)
    action_dim = module(obs[:1]).shape[1]
    graph = helper.make_graph(
        nodes, "policy",
        [helper.make_tensor_value_info("obs", kind, ["n", obs.shape[1]])],
        [helper.make_tensor_value_info("action", kind, ["n", action_dim])],
        constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
