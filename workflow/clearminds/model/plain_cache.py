"""Which caches of a decoder can be copied, and gone on from, as if each copy had been run by itself."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from clearminds.model.cache_trials import counts_places
from clearminds.model.causal_model import CausalModel

# keys and values of each token, whose copies by rows share nothing; states that run through a text are none of these
PLAIN = (DynamicLayer, DynamicSlidingWindowLayer)
# embeddings of positions that depend on the longest text of a forward pass, and so on what stands beside a text
BY_LENGTH = ("longrope", "dynamic")
# keys of configs that are a window which the cache's layers do not tell; of GPT-Neo the first
WINDOWS = ("window_size", "attention_window", "attention_window_size", "local_attention_window_len")
# what a model raises, or `require_plain`, that has no such cache or does not take what asks for it
NO_CACHE = (AttributeError, NotImplementedError, TypeError, ValueError)


def require_plain(decoder: torch.nn.Module, cache: Any) -> None:
    """Refuse to share what a decoder keeps of a text, unless that is keys and values of single tokens.

    Raises:
        NotImplementedError: the cache has other layers, or positions are embedded by the longest text of a pass.
    """
    kinds = [type(cache), *map(type, getattr(cache, "layers", ()))]
    if kinds[0] is not DynamicCache or any(kind not in PLAIN for kind in kinds[1:]):
        other = next((kind for kind in kinds[1:] if kind not in PLAIN), kinds[0])
        raise NotImplementedError(f"{other.__name__} holds more than keys and values of tokens")
    config: Any = decoder.config
    if by_length := sorted(set(_rope_types(config.get_text_config())).intersection(BY_LENGTH)):
        raise NotImplementedError(f"{by_length[0]} embeds positions by the longest text of a pass")


@torch.inference_mode()
def begun(model: CausalModel, tokens: Sequence[int], room: int) -> DynamicCache:
    """The cache of what several texts begin with, to be gone on from with padding behind it.

    Args:
        model: causal language model in evaluation mode.
        tokens: ids of the beginning.
        room: most places of a text, padding included.

    Raises:
        NotImplementedError: as of `require_plain`; or the model counts places, those of padding too: by a window that
            is narrower, or by what `counts_places` found.
    """
    given = torch.tensor([list(tokens)], device=next(model.parameters()).device)
    cache = model(input_ids=given, use_cache=True, logits_to_keep=1).past_key_values
    require_plain(model, cache)
    for window in _windows(model, cache):
        if room >= window:
            raise NotImplementedError(f"padding takes room in a window of {window:,} tokens")
    if counts_places(model, tokens):
        raise NotImplementedError("padding behind a beginning changes what the model gives")
    return cache


def _windows(model: CausalModel, cache: DynamicCache) -> Iterator[int]:
    """Tokens of each window that a model's attention has."""
    yield from (layer.sliding_window for layer in cache.layers if isinstance(layer, DynamicSlidingWindowLayer))
    text = model.config.get_text_config()
    yield from (window for name in WINDOWS if isinstance(window := getattr(text, name, None), int))


def copies(cache: DynamicCache, rows: torch.Tensor) -> DynamicCache:
    """Rows of a cache, each in memory of its own; the cache stays as it is. Args: rows: their numbers."""
    own = copy.copy(cache)
    own.layers = [copy.copy(layer) for layer in cache.layers]
    own.batch_select_indices(rows)
    return own


def chosen(cache: Any, rows: torch.Tensor | None) -> DynamicCache | None:
    """Rows of a cache, which is changed; states that run through a text are taken along.

    Args:
        cache: of several texts; what a model hands over.
        rows: their numbers, which may repeat; None: all, as they are.

    Returns:
        the cache; None where it is of a kind of a model's own, whose rows may be kept elsewhere too.
    """
    kinds = map(type, getattr(cache, "layers", ()))
    if type(cache) is not DynamicCache or any(kind.__module__ != DynamicCache.__module__ for kind in kinds):
        return None
    if rows is None:
        return cache
    cache.reorder_cache(rows.long())  # type: ignore[arg-type]  # unlike `batch_select_indices` all layers have it
    return cache


def _rope_types(config: Any) -> Iterator[str]:
    """What kinds of rotary embeddings a model has, one for each type of its layers or one for all."""
    given = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None)
    for block in [given, *(given.values() if isinstance(given, Mapping) else ())]:
        if isinstance(block, Mapping):
            yield from (block[key] for key in ("rope_type", "type") if isinstance(block.get(key), str))
