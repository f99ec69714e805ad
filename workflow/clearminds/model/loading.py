"""How a model is loaded: the keys of the config's model that change its arithmetic. Imports no torch."""

from clearminds.files.settings import settings


@settings
class Loading:
    """Of one model.

    Attributes:
        attn_implementation: sdpa, eager, flash_attention_2, ...; None: transformers chooses.
        quantization: none, or 4bit (NF4, needs bitsandbytes).
        trust_remote_code: whether the model may bring Python of its own.
    """

    attn_implementation: str | None = None
    quantization: str | None = None
    trust_remote_code: bool = False
