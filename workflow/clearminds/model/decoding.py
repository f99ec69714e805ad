"""Decoding by our settings alone, and without copies of the head.

`generate` fills every setting that a call leaves open from the model's own `generation_config`, so that a repetition
penalty or a temperature that its makers recommend would leak into samples and greedy answers.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import GenerationConfig

from clearminds.model.causal_model import CausalModel, without_adapter


@contextmanager
def own_settings_only(model: CausalModel) -> Iterator[None]:
    """Within the block, the model has no generation settings of its own. Takes a PEFT model too."""
    inner = without_adapter(model)  # PEFT's generate copies settings onto the base model and calls its forward
    own = inner.generation_config
    inner.generation_config = GenerationConfig()
    try:
        yield
    finally:
        inner.generation_config = own


@contextmanager
def contiguous_before_head(model: CausalModel) -> Iterator[None]:
    """Within the block, the model's head is given hidden states that lie one after the other. Takes a PEFT model too.

    Of a prompt only the last state is asked for, which is a slice of each row's. Such a product torch takes on a CPU as
    one for each row, with a copy of the whole head for each, where the head's weights are frozen, as below an adapter.
    """

    def packed(head: torch.nn.Module, inputs: tuple) -> tuple:
        return tuple(one.contiguous() if isinstance(one, torch.Tensor) else one for one in inputs)

    if (head := without_adapter(model).get_output_embeddings()) is None:
        yield  # the model has its own way to its logits
        return
    hook = head.register_forward_pre_hook(packed)
    try:
        yield
    finally:
        hook.remove()


def goes_on(model: CausalModel) -> bool:
    """Whether a model takes keys and values of former tokens. Takes a PEFT model too."""
    return "past_key_values" in inspect.signature(without_adapter(model).forward).parameters
