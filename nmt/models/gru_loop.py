"""The GRU over a whole sequence, with its gradient: reset before the matrix (Cho et al. 2014), or after it as in PyTorch.

The products with the input, and those with all earlier states that make the weights' gradients, are one large product each;
a step has only the two recurrent ones that cannot wait. What the gradient needs of the gates is kept from the way forward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _ResetBefore(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, state: Tensor, recurrent: Tensor) -> Tensor:
        length, batch, _ = projected.shape
        hidden = state.shape[1]
        u_gates, u_candidate = recurrent[: 2 * hidden], recurrent[2 * hidden :]
        # Copies, as they are worked on in place. Of one position of one sentence, `contiguous` would not copy.
        gates = projected[..., : 2 * hidden].clone(memory_format=torch.contiguous_format)
        candidates = projected[..., 2 * hidden :].clone(memory_format=torch.contiguous_format)
        reset_states = projected.new_empty(length, batch, hidden)
        states = projected.new_empty(length + 1, batch, hidden)
        states[0] = state
        for h, gate, reset_h, candidate, h_next in zip(states, gates, reset_states, candidates, states[1:], strict=False):
            gate.addmm_(h, u_gates.t()).sigmoid_()
            torch.mul(gate[:, :hidden], h, out=reset_h)
            candidate.addmm_(reset_h, u_candidate.t()).tanh_()
            torch.lerp(h, candidate, gate[:, hidden:], out=h_next)  # (1 − z) h + z ĥ
        ctx.save_for_backward(states, gates, reset_states, candidates, recurrent)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        states, gates, reset_states, candidates, recurrent = ctx.saved_tensors
        hidden = candidates.shape[2]
        u_gates, u_candidate = recurrent[: 2 * hidden], recurrent[2 * hidden :]
        before, r, z = states[:-1], gates[..., :hidden], gates[..., hidden:]
        # What a gradient is multiplied with on its way from h_t, for all steps at once: through ĥ, r ⊙ h, z and past them.
        into_candidate = z * (1 - candidates.square())
        into_reset = before * r * (1 - r)
        into_update = (candidates - before) * z * (1 - z)
        kept = 1 - z
        grad_projected = gates.new_empty(*gates.shape[:2], 3 * hidden)
        grad_gates, grad_candidates = grad_projected[..., : 2 * hidden], grad_projected[..., 2 * hidden :]
        grad_h = torch.zeros_like(states[0])
        for t in range(len(candidates) - 1, -1, -1):
            grad_h = grad_h + grads[0][t]
            torch.mul(grad_h, into_candidate[t], out=grad_candidates[t])
            grad_reset_h = grad_candidates[t] @ u_candidate
            torch.mul(grad_reset_h, into_reset[t], out=grad_gates[t, :, :hidden])
            torch.mul(grad_h, into_update[t], out=grad_gates[t, :, hidden:])
            grad_h = (grad_h * kept[t]).addcmul_(grad_reset_h, r[t]).addmm_(grad_gates[t], u_gates)
        grad_recurrent = torch.cat(
            [
                grad_gates.flatten(0, 1).t() @ before.flatten(0, 1),
                grad_candidates.flatten(0, 1).t() @ reset_states.flatten(0, 1),
            ]
        )
        return grad_projected, grad_h, grad_recurrent


class _ResetAfter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, state: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
        length, batch, _ = projected.shape
        hidden = state.shape[1]
        gates = projected[..., : 2 * hidden].clone(memory_format=torch.contiguous_format)
        candidates = projected[..., 2 * hidden :].clone(memory_format=torch.contiguous_format)
        pasts = projected.new_empty(length, batch, 3 * hidden)
        states = projected.new_empty(length + 1, batch, hidden)
        states[0] = state
        for h, gate, past, candidate, h_next in zip(states, gates, pasts, candidates, states[1:], strict=False):
            torch.addmm(bias, h, recurrent.t(), out=past)
            gate.add_(past[:, : 2 * hidden]).sigmoid_()
            candidate.addcmul_(gate[:, :hidden], past[:, 2 * hidden :]).tanh_()
            torch.lerp(candidate, h, gate[:, hidden:], out=h_next)  # (1 − z) n + z h
        ctx.save_for_backward(states, gates, pasts, candidates, recurrent)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        states, gates, pasts, candidates, recurrent = ctx.saved_tensors
        hidden = candidates.shape[2]
        before, r, z = states[:-1], gates[..., :hidden], gates[..., hidden:]
        # What a gradient is multiplied with on its way from h_t, for all steps at once: through n, z and r.
        into_candidate = (1 - z) * (1 - candidates.square())
        into_update = (before - candidates) * z * (1 - z)
        into_reset = pasts[..., 2 * hidden :] * r * (1 - r)
        grad_pasts = torch.empty_like(pasts)
        grad_candidates = torch.empty_like(candidates)
        grad_h = torch.zeros_like(states[0])
        for t in range(len(candidates) - 1, -1, -1):
            grad_h = grad_h + grads[0][t]
            grad_candidate, grad_past = grad_candidates[t], grad_pasts[t]
            torch.mul(grad_h, into_candidate[t], out=grad_candidate)
            torch.mul(grad_candidate, into_reset[t], out=grad_past[:, :hidden])
            torch.mul(grad_h, into_update[t], out=grad_past[:, hidden : 2 * hidden])
            torch.mul(grad_candidate, r[t], out=grad_past[:, 2 * hidden :])
            grad_h = (grad_h * z[t]).addmm_(grad_past, recurrent)
        grad_projected = torch.cat([grad_pasts[..., : 2 * hidden], grad_candidates], dim=-1)
        rows = grad_pasts.flatten(0, 1)
        return grad_projected, grad_h, rows.t() @ before.flatten(0, 1), rows.sum(dim=0)


def gru_reset_before(projected: Tensor, state: Tensor, recurrent: Tensor) -> Tensor:
    """h_1 … h_T of the equations in ``nmt.models.gru``.

    projected [length, batch, 3 × hidden] is W x + b with the gates r, z and the candidate in this order, state [batch, hidden]
    is h_0, recurrent [3 × hidden, hidden] is [U_r; U_z; U_h], all of one type → [length, batch, hidden]. Its gradient can't
    be differentiated once more.
    """
    with torch.autocast(projected.device.type, enabled=False):  # products in the type of what is given
        return _ResetBefore.apply(projected, state, recurrent)  # type: ignore[no-any-return, no-untyped-call]


def gru_reset_after(projected: Tensor, state: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
    """The same in PyTorch's form, whose z keeps the state and whose reset gate scales U_h h + c_h.

    recurrent [3 × hidden, hidden] and bias [3 × hidden] are those of ``nn.GRU`` → [length, batch, hidden].
    """
    with torch.autocast(projected.device.type, enabled=False):
        return _ResetAfter.apply(projected, state, recurrent, bias)  # type: ignore[no-any-return, no-untyped-call]
