"""Attention of one query a row on a CPU, as each new token of an answer asks for it.

Where several heads share keys and values and a row has no padding, transformers leaves the sharing to torch's fused
kernel, which in bfloat16 packs all keys and values once for each head, and takes four to six times as long as it does
for the heads of a group as queries of one. So transformers computes it where there is a mask: here it is given one
that hides nothing.

Registered by transformers' `AttentionInterface` under a name of its own, next to the masks that its `sdpa` takes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from clearminds.model.causal_model import CausalModel, without_adapter
from clearminds.model.transformers_compat import attention_of, uses_fused_kernel

NAME = "one_query_on_cpu"


@contextmanager
def one_query_masked(model: CausalModel) -> Iterator[None]:
    """Within the block a model on a CPU computes attention in this way, where transformers chose the fused kernel.

    Takes a PEFT model too. Models of several parts and those whose architecture has no such kernel stay as they are.
    """
    inner = without_adapter(model)
    if not uses_fused_kernel(inner):
        yield
        return
    before = attention_of(inner)
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    inner.set_attn_implementation(NAME)
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers' models call it: that of its `sdpa`, which gives a single query without a mask one.

    Args:
        module: the layer.
        query: [batch, heads, length, width].
        key, value: [batch, groups, keys, width].
        attention_mask: bool [batch or 1, 1, length, keys]; None: of a single query, which sees all keys, or causal.
        others: as of `sdpa`.

    Returns:
        [batch, length, heads, width], and no probabilities.
    """
    if attention_mask is None and query.shape[2] == 1:
        attention_mask = torch.ones(1, 1, 1, key.shape[2], dtype=torch.bool, device=key.device)
    return sdpa_attention_forward(module, query, key, value, attention_mask, **others)
