"""Decoding by our settings alone.

`generate` fills every setting that a call leaves open from the model's own `generation_config`, so that a repetition
penalty or a temperature that its makers recommend would leak into samples and greedy answers.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import GenerationConfig

from clearminds.model.causal_model import CausalModel


@contextmanager
def own_settings_only(model: CausalModel) -> Iterator[None]:
    """Within the block, the model has no generation settings of its own. Takes a PEFT model too."""
    # PEFT's generate copies settings onto the base model, so that is where they are swapped
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = inner.generation_config
    inner.generation_config = GenerationConfig()
    try:
        yield
    finally:
        inner.generation_config = own
