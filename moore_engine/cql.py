"""CQL(H) (Kumar et al. 2020, 2006.04779, Eq. 4, appendix F): SAC with critics pressed down where there is no data.

    J_Q = sum_i mean 1/2 (Q_i(s, a) - y)^2 + weight/2 (log Z_i(s) - Q_i(s, a))
    y = r + gamma (1 - terminal) min_i Qtarget_i(s', a'),   log Z_i(s) = logsumexp_b Q_i(s, b) - log density(b)

The b are `actions` uniform ones (density 1/2^d), as many of pi(.|s) and as many of pi(.|s'), all at s. J_Q is half
of the authors' loss, so `weight` is theirs; as with them y has no entropy. With weight 0 all is SAC's, bit for bit.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from moore_engine.nn.mlp import MLP, Backward, Tape, zero_where_not_positive
from moore_engine.sac import SAC

CPU_COLUMNS, DEVICE_COLUMNS = 512, 1 << 20
"""Columns (a state with one of its actions) at a time: what stays in a core's cache; what fills a GPU."""


class CQL(SAC):
    """SAC's arguments, and the `weight` >= 0 of the conservative term over 3 `actions` sampled actions a state.

    Raises ValueError on a weight or a number of actions without meaning.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, *, weight: float = 5.0, actions: int = 10, **options: Any
    ) -> None:
        if actions < 1:
            raise ValueError(f"actions must be positive, got {actions}")
        self.actions = actions
        super().__init__(obs_dim, action_dim, **options)
        self.set_weight(weight)

    @torch.inference_mode()
    def update(self, batch: Tensor, generator: torch.Generator) -> None:
        """SAC's; `generator` also draws the sampled actions, unless the weight is 0."""
        self.generator = generator
        super().update(batch, generator)

    def set_weight(self, weight: float) -> None:
        """Change the term's weight from the next update on, and start the means of `metrics()` anew.

        From or to 0 the update changes its kernels: capture it again.
        """
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"weight must be a number of at least 0, got {weight}")
        self.weight = weight
        self.half_weight.fill_(weight / 2)
        self.push.fill_(weight / (2 * self.batch))
        self.scales[0] = 0.0 if weight else -1.0  # the factor of the entropy in y
        for tensor in (*self.sums.values(), self.count):
            tensor.zero_()

    def metrics(self) -> dict[str, float]:
        """SAC's, and `conservative`: the mean of log Z(s) - Q(s, a) over both critics, NaN with weight 0."""
        return super().metrics() | ({} if self.weight else {"conservative": math.nan})

    def _allocate(self, like: Tensor) -> None:
        """SAC's memory, and the sampled actions' in groups of states, each group a matrix of columns (action, state).

        A group holds all the actions of its states, so it is done with before the next: its activations stay in cache.
        """
        super()._allocate(like)
        size, n, obs_rows = self.batch, self.actions, 1 + self.obs_dim
        limit = max(1, (CPU_COLUMNS if like.device.type == "cpu" else DEVICE_COLUMNS) // (3 * n))
        states = max(k for k in range(1, min(size, limit) + 1) if size % k == 0)
        groups, columns = size // states, 3 * n * states

        inputs = like.new_ones(groups, obs_rows + self.action_dim, columns)
        by_action = inputs.unflatten(2, (3 * n, states))
        self.state_inputs, action_inputs = by_action[:, 1:obs_rows], by_action[:, obs_rows:]
        self.uniform_inputs, self.proposal_inputs = action_inputs[:, :, :n], action_inputs[:, :, n:]
        self.states = self.obs_inputs[:, 0].unflatten(1, (groups, states)).transpose(0, 1).unsqueeze(2)

        self.proposals = self.policy.dist(2 * n * size)  # columns: group, s or s', action, state
        self.heads = self.dist.head.view(-1, 2, groups, states).transpose(1, 2).unsqueeze(3)
        self.proposal_heads = self.proposals.head.view(-1, groups, 2, n, states)
        self.proposal_actions = self.proposals.action.view(-1, groups, 2 * n, states).transpose(0, 1)
        self.proposal_log_prob = self.proposals.log_prob.view(groups, 2 * n, states)
        self.log_density = like.new_full((groups, 3 * n, states), self.action_dim * math.log(0.5))
        self.proposal_log_density = self.log_density[:, n:]

        self.log_z = [like.new_zeros(1, size) for _ in self.q.nets]
        hidden = self.q.sizes[1:-1]
        tape, scratch = Tape(hidden, columns, like), Tape(hidden, columns, like)
        values, push = like.new_zeros(1, columns), like.new_zeros(())
        self.half_weight, self.push = like.new_zeros(()), push
        self.presses = [
            Press(net, grads, each, tape, scratch, values, density, log_z, push)
            for net, grads, whole in zip(self.q.nets, self.q.grad_nets, self.log_z, strict=True)
            for each, density, log_z in zip(inputs, self.log_density, whole.split(states, 1), strict=True)
        ]
        self.sums["conservative"] = like.new_zeros(1, size)

    def _critic_gradients(self) -> None:
        """SAC's with y + weight/2 for y, which is what -weight/2 Q(s, a) adds; then the sampled actions' part."""
        if not self.weight:
            return super()._critic_gradients()
        self._propose()
        self.y.add_(self.half_weight)
        super()._critic_gradients()
        self.y.sub_(self.half_weight)
        for residual in self.residuals:
            residual.add_(self.half_weight)
        for press in self.presses:
            press()

    def _propose(self) -> None:
        """Draw the actions of every state, with their log densities; none of them passes a gradient on."""
        self.proposal_heads.copy_(self.heads)
        self.proposals.sample(self.generator)
        self.state_inputs.copy_(self.states)
        self.proposal_inputs.copy_(self.proposal_actions)
        self.uniform_inputs.uniform_(-1, 1, generator=self.generator)
        self.proposal_log_density.copy_(self.proposal_log_prob)

    def _measure(self) -> None:
        super()._measure()
        if self.weight:
            for log_z, value in zip(self.log_z, self.data_values, strict=True):
                self.sums["conservative"].add_(log_z, alpha=0.5).sub_(value, alpha=0.5)


class Press(Backward):
    """The gradient of mean weight/2 log Z(s) of one critic, over one group of states, added to `grads`.

    It is weight/2 softmax(Q(s, b) - log density(b)) dQ(s, b), summed over b. The columns of `inputs` (1 + obs_dim +
    action_dim, columns) are (action, state), as `log_density` (actions, states); `log_z` (1, states) is filled; `push`
    is weight/2 over the batch. `tape`, `scratch` and `values` (1, columns) may be shared.
    """

    def __init__(
        self, net: MLP, grads: MLP, inputs: Tensor, tape: Tape, scratch: Tape, values: Tensor,
        log_density: Tensor, log_z: Tensor, push: Tensor,
    ) -> None:  # fmt: skip
        super().__init__(net, grads, tape, inputs, values, scratch)
        self.net, self.inputs, self.tape, self.values = net, inputs, tape, values
        self.by_action, self.log_density = values.view(log_density.shape), log_density
        self.log_z, self.push = log_z, push

    def __call__(self) -> None:
        self.net.forward(self.inputs, self.tape, self.values)
        self.by_action.sub_(self.log_density)
        torch.logsumexp(self.by_action, 0, keepdim=True, out=self.log_z)
        self.by_action.sub_(self.log_z).exp_().mul_(self.push)  # values are the output's gradient from here on
        for weight, above, error, activation in reversed(self.steps):
            torch.mm(weight, above, out=error)
            zero_where_not_positive(error, activation, 0.0, grad_input=error)
        for source, error, grad in self.products:
            torch.addmm(grad, source, error, out=grad)
