"""Attention of short texts on a CPU, in training: torch's fused kernel takes two to four times as long there.

It computes what the fused kernel does: scores and softmax in float32, probabilities in the dtype of the values, no
key or value repeated for the queries that share it. Queries are taken some at a time, and only with the keys that one
of them may see, so that almost half of the products of a causal mask are left out. The probabilities are kept for the
backward pass: tokens x heads x length / 2 numbers a layer, which is why long texts are left to the fused kernel.

Registered by transformers' `AttentionInterface` under a name of its own, next to the masks that its `sdpa` takes.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from clearminds.model.torch_compat import softmax_backward
from clearminds.model.transformers_compat import uses_fused_kernel

NAME = "short_texts_on_cpu"
LONGEST = 512  # tokens: twice as fast as the fused kernel there, with 5 MB of probabilities a layer and 1,024 tokens
QUERIES = 64  # at a time: fewer make products too small, more leave less out


def attend_short(model: PreTrainedModel) -> None:
    """Let a model on a CPU compute attention of short texts in this way, where transformers chose the fused kernel.

    Models of several parts and those whose architecture has no such kernel stay as they are.
    """
    if uses_fused_kernel(model):
        AttentionInterface.register(NAME, attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers' models call it; what is long or unusual goes to the fused kernel.

    Args:
        module: the layer; whether it is causal where `is_causal` is None.
        query: [batch, heads, length, width].
        key, value: [batch, groups, length, width]; heads / groups queries share one.
        attention_mask: bool [batch or 1, 1, length, length], True where a query sees a key; None: causal.
        dropout: of the probabilities.
        scaling: of the scores; None: 1 / sqrt(width).
        is_causal: of a None mask.
        others: as of transformers' `sdpa`.

    Returns:
        [batch, length, heads, width], and no probabilities.
    """
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    plain = dropout == 0.0 and not any(others.get(name) is not None for name in ("position_bias", "cache", "softcap"))
    masked = attention_mask is not None and attention_mask.dtype == torch.bool and attention_mask.shape[1] == 1
    own_length = query.shape[2] == key.shape[2] <= LONGEST
    if not (plain and own_length and (masked or (attention_mask is None and causal)) and query.device.type == "cpu"):
        given = {"dropout": dropout, "scaling": scaling, "is_causal": is_causal, **others}
        return sdpa_attention_forward(module, query, key, value, attention_mask, **given)
    if torch.is_autocast_enabled("cpu"):  # which casts what the fused kernel is given
        query, key, value = (part.to(torch.get_autocast_dtype("cpu")) for part in (query, key, value))
    hidden = attention_mask.logical_not() if attention_mask is not None else _later(query)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return _Attention.apply(query, key, value, hidden, scale).transpose(1, 2).contiguous(), None


def _later(query: torch.Tensor) -> torch.Tensor:
    """bool [1, 1, length, length]: True where a key comes after the query."""
    length = query.shape[2]
    return torch.ones(1, 1, length, length, dtype=torch.bool, device=query.device).triu(1)


class _Attention(torch.autograd.Function):
    """softmax(scale * query key^T) value, without the hidden keys; derivatives as of Dao et al. 2022, appendix B.2.

    Shapes as of `attention`; `hidden` is True where a query does not see a key.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        hidden: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        batch, heads, length, _ = query.shape
        groups = key.shape[1]
        # queries that share a key are rows of one product
        query = query.reshape(batch * groups, heads // groups, length, -1)
        key, value = key.reshape(batch * groups, length, -1), value.reshape(batch * groups, length, -1)
        hidden = hidden.expand(batch, 1, length, length).unsqueeze(1)
        output, kept = query.new_empty(*query.shape[:3], value.shape[-1]), []
        with torch.autocast("cpu", enabled=False):  # it would cast the scores
            scaled, exact_key = query.float() * scale, key.float()
            for begin in range(0, length, QUERIES):
                rows = slice(begin, min(begin + QUERIES, length))
                seen = _keys_seen(hidden[..., rows, :])
                scores = _rows(scaled, rows) @ exact_key[:, :seen].transpose(1, 2)
                by_mask = scores.view(batch, groups, heads // groups, -1, seen)
                # no infinity: a row of padding that sees nothing would be no number
                by_mask.masked_fill_(hidden[..., rows, :seen], torch.finfo(scores.dtype).min)
                chances = scores.softmax(-1).to(value.dtype)
                output[:, :, rows] = (chances @ value[:, :seen]).view_as(output[:, :, rows])
                kept.append(chances)
        ctx.save_for_backward(query, key, value, *kept)
        ctx.scale, ctx.shape = scale, (batch, heads, groups)
        return output.view(batch, heads, length, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, *kept = ctx.saved_tensors
        batch, heads, groups = ctx.shape
        given = gradients[0].reshape(*query.shape[:3], -1)
        of_query = torch.empty_like(query)
        # summed over the queries in float32
        of_key, of_value = torch.zeros_like(key, dtype=torch.float32), torch.zeros_like(value, dtype=torch.float32)
        for number, chances in enumerate(kept):
            rows = slice(number * QUERIES, min((number + 1) * QUERIES, query.shape[2]))
            seen, part = chances.shape[-1], _rows(given, rows)
            of_value[:, :seen] += chances.transpose(1, 2) @ part
            of_scores = softmax_backward(part @ value[:, :seen].transpose(1, 2), chances)
            of_query[:, :, rows] = (of_scores @ key[:, :seen]).view_as(of_query[:, :, rows])
            of_key[:, :seen] += of_scores.transpose(1, 2) @ _rows(query, rows)
        of_query, of_key = of_query * ctx.scale, of_key * ctx.scale
        return (
            of_query.view(batch, heads, query.shape[2], -1),
            of_key.to(key.dtype).view(batch, groups, *key.shape[1:]),
            of_value.to(value.dtype).view(batch, groups, *value.shape[1:]),
            None,
            None,
        )


def _rows(parts: torch.Tensor, rows: slice) -> torch.Tensor:
    """[batch * groups, rows of all that share a key, width] of [batch * groups, sharing, length, width]."""
    return parts[:, :, rows].reshape(len(parts), -1, parts.shape[-1])


def _keys_seen(hidden: torch.Tensor) -> int:
    """How many of the first keys hold all that one of some queries sees. Args: bool [..., queries, keys]."""
    seen = hidden.logical_not().flatten(0, -2).any(0).nonzero()
    return int(seen[-1]) + 1 if len(seen) else hidden.shape[-1]
