"""Whether a model is a causal language model, told by its config.json."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.stages.fetching.wording import reason, some


def check_architecture(folder: Path, trust_remote_code: bool) -> Any:
    """Refuse what is no causal language model.

    Args:
        folder: of the model.
        trust_remote_code: as in loading.

    Returns:
        its config, of transformers.

    Raises:
        UserError: its config cannot be read, or says that it is something else.
    """
    from transformers import AutoConfig

    where = f"models: {folder.name}"
    with config_errors(folder, "config.json describes no model that can be loaded", trust_remote_code):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    _require_causal(config, where)
    return config


@contextmanager
def config_errors(folder: Path, problem: str, trusted: bool) -> Iterator[None]:
    """Say in one line what a config leads to: its values, or a model's own Python, make transformers raise anything.

    Args:
        folder: of the model.
        problem: what is wrong.
        trusted: whether its own Python may run.

    Raises:
        UserError: the block raised any other error.
    """
    try:
        yield
    except (MemoryError, UserError):
        raise
    except Exception as error:
        remedy = _remedy(folder, trusted)
        raise UserError(f"models: {folder.name}: {problem} ({reason(error)}); {remedy}") from error


def _remedy(folder: Path, trusted: bool) -> str:
    if any(folder.glob("*.py")) and not trusted:
        return "it brings Python of its own: set trust_remote_code: true if you trust that"
    return "check its values, or use a version of transformers that knows it"


def _require_causal(config: Any, where: str) -> None:
    import transformers
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {}):
        return
    remedy = "give one that was trained to continue text, such as LlamaForCausalLM"
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UserError(f"{where}: model_type {config.model_type} is no causal language model; {remedy}")
    causal = {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values(), *MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.values()}
    named = config.architectures or []
    # a name that transformers does not know is no hint: the tensors decide
    if others := [name for name in named if hasattr(transformers, name) and name not in causal]:
        raise UserError(f"{where}: {some(others)}, which config.json names, is no causal language model; {remedy}")
    if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", True):
        raise UserError(
            f"{where}: model_type {config.model_type} without is_decoder: true is an encoder, whose tokens see those "
            f"that follow them; {remedy}"
        )
