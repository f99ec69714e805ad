"""How a model is loaded: the keys of the config's model that change its arithmetic. Imports no torch."""

from clearminds.files.settings import settings

BITSANDBYTES = (
    "quantization: 4bit needs the package bitsandbytes, which is not installed; run .venv/bin/pip install "
    "'bitsandbytes>=0.46.1', or set quantization: none"
)


@settings
class Loading:
    """Of one model.

    Attributes:
        attn_implementation: sdpa, eager, flash_attention_2, ...; None: transformers chooses.
        quantization: none, or 4bit (NF4, needs bitsandbytes 0.46.1 or newer, as transformers does).
        trust_remote_code: whether the model may bring Python of its own.
    """

    attn_implementation: str | None = None
    quantization: str | None = None
    trust_remote_code: bool = False
