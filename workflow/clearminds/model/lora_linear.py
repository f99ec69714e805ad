"""A linear layer with a LoRA adapter, on a CPU: one pass over its outputs where PEFT takes several.

PEFT casts the input to the adapter's dtype, autocast casts it back, and the adapter's output is scaled and added in
passes of their own, forward and backward. Here both products of a layer go into one output, whose sums are rounded
once, and the layer's input is kept for the backward pass as it is, once for all layers that read it.
"""

from typing import Any

import torch
from peft.tuners.lora import Linear
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear


def compute_at_once(model: torch.nn.Module) -> None:
    """Let the linear layers of a model with a fresh adapter compute in this way. They stay PEFT's in all else."""
    for module in model.modules():
        if type(module) is Linear:
            module.__class__ = LoraLinear


class LoraLinear(Linear):
    """PEFT's layer; what is no plain LoRA of one adapter on a CPU it computes as PEFT does."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The layer's output. Args: x: [..., inputs]; args, kwargs: as of PEFT's."""
        adapter = self._plain(x) if not args and not kwargs else None
        if adapter is None:
            return super().forward(x, *args, **kwargs)
        base: Any = self.get_base_layer()  # a linear one
        down, up = self.lora_A[adapter].weight, self.lora_B[adapter].weight
        x = x.to(base.weight.dtype)
        dropout = self.lora_dropout[adapter]
        # the adapter's own input, where that is another one
        dropped = dropout(x) if self.training and not isinstance(dropout, torch.nn.Identity) else None
        output = _LoraLinear.apply(x, dropped, base.weight, down, up, self.scaling[adapter])
        return output if base.bias is None else output + base.bias

    def _plain(self, x: torch.Tensor) -> str | None:
        """The name of the adapter, if this layer is a plain LoRA and its products are in the base's dtype."""
        if self.disable_adapters or self.merged or len(self.active_adapters) != 1 or x.device.type != "cpu":
            return None
        adapter, base = self.active_adapters[0], self.get_base_layer()
        if adapter not in self.lora_A or adapter in self.lora_variant or type(base) is not torch.nn.Linear:
            return None
        own = self.lora_A[adapter].weight.dtype
        products = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else own
        return adapter if base.weight.dtype == products and self.lora_B[adapter].bias is None else None


class _LoraLinear(torch.autograd.Function):
    """x W^T + s dropped A^T B^T, of a frozen W.

    x and dropped (None: x) are [..., inputs], `weight` W is [outputs, inputs], `down` A is [rank, inputs], `up` B is
    [outputs, rank], and `scaling` is s.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        dropped: torch.Tensor | None,
        weight: torch.Tensor,
        down: torch.Tensor,
        up: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        dtype = weight.dtype
        # scaled before they are rounded
        down, up = down.to(dtype), (up * scaling).to(dtype)
        read = _flat(x if dropped is None else dropped)
        inner = linear(read, down)
        output = linear(_flat(x), weight).addmm_(inner, up.t())
        ctx.save_for_backward(read, inner, weight, down, up)
        ctx.scaling, ctx.shape = scaling, x.shape
        return output.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        read, inner, weight, down, up = ctx.saved_tensors
        given = _flat(gradients[0])
        of_inner = given @ up
        needs_x, needs_dropped = ctx.needs_input_grad[:2]
        of_x = given @ weight if needs_x else None
        of_dropped = of_inner @ down if needs_dropped else None
        if of_x is not None and not needs_dropped:
            of_x.addmm_(of_inner, down)
        of_down, of_up = (of_inner.t() @ read).float(), (given.t() @ inner).float() * ctx.scaling
        shaped = [None if part is None else part.view(ctx.shape) for part in (of_x, of_dropped)]
        return *shaped, None, of_down, of_up, None


def _flat(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(-1, x.shape[-1])
