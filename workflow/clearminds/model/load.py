"""Loading a model from the folder that `fetch_model` made, with or without an adapter."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig
from transformers.distributed import DistributedConfig

from clearminds.errors import UserError, one_line
from clearminds.files.stamps import refuse_changed
from clearminds.model.causal_model import CausalModel
from clearminds.model.loading import BITSANDBYTES, Loading


def device() -> torch.device:
    """The accelerator of this process (its rank's one under torchrun), or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def longest_input(folder: Path, loading: Loading) -> int:
    """Most tokens that a model takes. Args: as of `load_model`, which this does without."""
    return _text_config(folder, loading).max_position_embeddings


def _text_config(folder: Path, loading: Loading) -> Any:
    # a model for images too keeps what concerns texts in a part of its config
    return AutoConfig.from_pretrained(folder, trust_remote_code=loading.trust_remote_code).get_text_config()


def cast(model: torch.nn.Module, dtype: str) -> None:
    """Cast a model's weights in place; quantised ones cannot be cast, and stay as they are. Args: dtype: its name."""
    if getattr(model, "quantization_method", None) is None:
        model.to(getattr(torch, dtype))


def load_model(
    folder: Path, *, dtype: str, loading: Loading, adapter: Path | None = None, processes: int = 1
) -> CausalModel:
    """Load a causal language model for this process's device, in evaluation mode.

    Args:
        folder: a model folder.
        dtype: float32, bfloat16 or float16: what the weights are loaded in.
        loading: of the config's model.
        adapter: a PEFT adapter's folder to put on top.
        processes: over how many of them the weights are spread (FSDP); each loads its own part.

    Raises:
        UserError: the attention implementation is unknown, or it or the quantization lacks its package.
    """
    options: dict[str, Any] = {}
    if loading.attn_implementation:
        options["attn_implementation"] = loading.attn_implementation
    if loading.quantization == "4bit":
        if importlib.util.find_spec("bitsandbytes") is None:
            raise UserError(f"models: {BITSANDBYTES}")
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, dtype)
        )
    if processes > 1:
        options["distributed_config"] = DistributedConfig(fsdp_size=processes)
    elif device().type == "cuda":
        options["device_map"] = {"": device()}
    model: Any  # what PEFT wraps is of another type than before, and neither says that it is a `CausalModel`
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            trust_remote_code=loading.trust_remote_code,
            **options,
        )
    except (ImportError, ValueError):
        _require_attention(folder, loading)
        raise
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    for loaded in (folder, adapter) if adapter is not None else (folder,):
        refuse_changed(loaded)  # what was checked before is what was loaded, and so what a store is keyed by
    return model.eval()


def _require_attention(folder: Path, loading: Loading) -> None:
    """Tell whether it is the attention implementation that a model cannot be made with."""
    if loading.attn_implementation is None:
        return
    config = AutoConfig.from_pretrained(folder, trust_remote_code=loading.trust_remote_code)
    chosen = {
        "attn_implementation": loading.attn_implementation,
        "trust_remote_code": loading.trust_remote_code,
    }
    try:
        with torch.device("meta"):
            AutoModelForCausalLM.from_config(config, **chosen)
    except (ImportError, ValueError) as error:
        raise UserError(
            f"models: {folder.name}: attn_implementation: {loading.attn_implementation} cannot be used here "
            f"({one_line(error)}); take sdpa or eager, install what it needs, or unset it"
        ) from error
