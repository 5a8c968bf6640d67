"""Of anything that names its tensors: copies of them, putting these back in place, and means of those that are sums."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy of each tensor."""
    return {name: tensor.clone() for name, tensor in tensors.items()}


def restore(tensors: Mapping[str, Tensor], state: Mapping[str, Tensor], owner: str) -> None:
    """Put `state`, copies of the same tensors, back in place.

    Raises ValueError, and changes nothing, if a name or a shape differs.
    """
    if state.keys() != tensors.keys():
        raise ValueError(f"{owner} state has other entries: {sorted(state.keys() ^ tensors.keys())}")
    for name, tensor in tensors.items():
        if state[name].shape != tensor.shape:
            raise ValueError(f"{owner} state {name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}")
    for name, tensor in tensors.items():
        tensor.copy_(state[name])


def means(sums: Mapping[str, Tensor], count: Tensor) -> dict[str, float]:
    """The mean of each tensor, over its entries and `count` () additions to it; then sums and count are 0 again."""
    times = max(count.item(), 1.0)
    found = {name: tensor.double().mean().item() / times for name, tensor in sums.items()}
    for tensor in (*sums.values(), count):
        tensor.zero_()
    return found
