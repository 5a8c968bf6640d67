"""Adam (Kingma and Ba 2015, Algorithm 1; eps 1e-8) on one flat parameter, as one fused in-place kernel."""

from __future__ import annotations

import torch
from torch import Tensor

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class FlatAdam:
    """Adam for `params` (n,) with gradient `grads` (n,), both static. The rate is a device tensor, set by `lr.fill_`.

    `steps` () float32 counts the updates, this one included; its owner adds the one, as several groups may share it.
    `weight_decay` times the parameters is added to the gradient, as `torch.optim.Adam` does.
    Equal to `torch.optim.Adam(fused=True, capturable=True)`, whose Python costs more than this kernel.
    """

    def __init__(self, params: Tensor, grads: Tensor, steps: Tensor, lr: float, *, weight_decay: float = 0.0) -> None:
        self.params, self.grads, self.steps = [params], [grads], [steps]
        self.mean, self.square = [torch.zeros_like(params)], [torch.zeros_like(params)]
        self.lr = torch.full((), lr, dtype=torch.float32, device=params.device)
        self.weight_decay = weight_decay

    def step(self) -> None:
        """One update of `params` in place from what `grads` holds."""
        torch._fused_adam_(
            self.params, self.grads, self.mean, self.square, [], self.steps, lr=self.lr, beta1=BETA1, beta2=BETA2,
            weight_decay=self.weight_decay, eps=EPS, amsgrad=False, maximize=False,
        )  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """What a step reads or writes but the gradient and the shared count, by name and not copied."""
        return {"params": self.params[0], "mean": self.mean[0], "square": self.square[0], "lr": self.lr}
