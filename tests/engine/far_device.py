"""A second device without a GPU: its tensors live in a CPU's memory, and what CUDA would refuse is refused.

PyTorch is told that they are on `meta`. An operation that meets tensors, or a generator, of both sides raises; so does
one that CUDA cannot do deterministically. Values are the CPU's, so a run here must give a run's there bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
import torch._dynamo  # before Generator is replaced: its annotations name the class
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

FAR = torch.device("meta")
_CPU = torch.device("cpu")
_Generator, _tensor = torch.Generator, torch.tensor
_far_generators: dict[int, torch.Generator] = {}
"""By their address; an operation sees another Python object."""
_aten = torch.ops.aten

CROSSINGS = {_aten._to_copy.default, _aten.copy_.default}
"""What may move values from one side to the other."""

crossed: list[str] = []
"""Operations that did, or that gave Python a number: a graph cannot hold them."""

INDEXING = {_aten.index.Tensor, _aten.index_put_.default, _aten.index_put.default}
"""These take indices from the CPU for a tensor of any device."""

REFUSED = {
    "bincount": lambda args: len(args) > 1 and args[1] is not None,
    "cumsum": lambda args: args[0].is_floating_point(),
    "cumsum_": lambda args: args[0].is_floating_point(),
    "histc": lambda args: True,
    "kthvalue": lambda args: True,
    "median": lambda args: len(args) > 1,
    "put_": lambda args: True,
}
"""Under `use_deterministic_algorithms`, on CUDA: its documentation, and `alertNotDeterministic` in PyTorch's CUDA
kernels."""


class FarTensor(torch.Tensor):
    """A tensor of the far device; `near` holds its values."""

    near: torch.Tensor
    is_meta = False  # it has values

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> FarTensor:
        with torch.inference_mode(False):
            far = torch.Tensor._make_wrapper_subclass(
                cls, near.shape, strides=near.stride(), dtype=near.dtype, device=FAR
            )  # fmt: skip
        far.near = near
        return far

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return perform(func, args, kwargs or {})

    def new_tensor(self, data: Any, *, device: torch.device | str = FAR) -> torch.Tensor:  # type: ignore[override]
        return torch.tensor(data, dtype=self.dtype, device=device)

    def tolist(self) -> Any:
        return self.near.tolist()


def perform(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation, on the side where its tensors and its `device` are."""
    flat, spec = tree_flatten((args, kwargs))
    tensors = [each for each in flat if isinstance(each, torch.Tensor)]
    far = [each for each in tensors if isinstance(each, FarTensor)]
    wanted = kwargs.get("device")
    name = func.overloadpacket.__name__
    there = [each._cdata in _far_generators for each in flat if isinstance(each, _Generator)]
    if not far and wanted != FAR:
        if any(there):
            raise RuntimeError(f"{name}: a generator of the far device for the CPU")
        return func(*args, **kwargs)
    if func not in CROSSINGS:
        for each in tensors:
            if isinstance(each, FarTensor):
                continue
            if each.dim() and not (func in INDEXING and each is not args[0]):
                raise RuntimeError(f"{name}: a CPU tensor {tuple(each.shape)} among those of the far device")
            crossed.append(name)
        if not all(there):
            raise RuntimeError(f"{name}: a CPU generator for the far device")
    if name in REFUSED and REFUSED[name](args):
        raise RuntimeError(f"{name} does not have a deterministic implementation on CUDA")
    near = [each.near if isinstance(each, FarTensor) else each for each in flat]
    near_args, near_kwargs = tree_unflatten([_CPU if each == FAR else each for each in near], spec)
    result = func(*near_args, **near_kwargs)
    if isinstance(result, int | float) or (func in CROSSINGS and len(far) < len(tensors)):
        crossed.append(name)
    if func is _aten.copy_.default:
        return args[0]
    if (wanted or FAR) != FAR:
        crossed.append(name)
        return result
    known = {id(each.near): each for each in far}
    return tree_map_only(torch.Tensor, lambda each: known[id(each)] if id(each) in known else FarTensor(each), result)


class FarMode(TorchDispatchMode):
    """Sees the operations that no far tensor takes part in: what is made there, or moved there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return perform(func, args, kwargs or {})


@contextmanager
def far_device() -> Iterator[torch.device]:
    """The device to give as `device`; generators for it are made as for any other."""

    def make(device: torch.device | str = "cpu") -> torch.Generator:
        if torch.device(device) != FAR:
            return _Generator(device)
        draws = _Generator()
        return _far_generators.setdefault(draws._cdata, draws)

    def tensor(data: Any, *, dtype: Any = None, device: torch.device | str = "cpu") -> torch.Tensor:
        return _tensor(data, dtype=dtype).to(device)

    with mock.patch.multiple(torch, Generator=make, tensor=tensor), FarMode():
        yield FAR
    _far_generators.clear()
