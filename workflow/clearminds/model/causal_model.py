"""A causal language model as this project uses it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch


class CausalModel(torch.nn.Module):
    """A model of transformers, or PEFT's around one, which passes on what it does not have itself.

    For annotations: nothing makes one of these or reads this class.
    Of a Module alone a type checker takes every attribute for a tensor or a module.

    Attributes:
        get_base_model, disable_adapter, merge_and_unload: PEFT's model alone has them.
    """

    config: Any
    generation_config: Any
    generate: Callable[..., Any]
    get_decoder: Callable[[], torch.nn.Module]
    get_output_embeddings: Callable[[], torch.nn.Module]
    save_pretrained: Callable[..., None]
    set_attn_implementation: Callable[..., None]
    get_base_model: Callable[[], "CausalModel"]
    disable_adapter: Callable[[], AbstractContextManager[None]]
    merge_and_unload: Callable[[], "CausalModel"]


def without_adapter(model: CausalModel) -> CausalModel:
    """transformers' own model: the one that PEFT is around, or the given one."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
