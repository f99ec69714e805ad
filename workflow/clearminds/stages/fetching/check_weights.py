"""Whether a model's weights fit its architecture and its tokenizer, told without loading them.

Where a tensor is missing transformers makes it up at random, and only logs so; what it finds and does not know it
leaves out. Loaded for torch's `meta` device it reports both as for any other, reads headers only and takes no memory.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.model.conversation import Chat
from clearminds.stages.fetching.check_architecture import config_errors
from clearminds.stages.fetching.wording import some

log = logging.getLogger("clearminds")

ENDS = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id")


def check_weights(folder: Path, config: Any, chat: Chat, sample: list[int], trust_remote_code: bool) -> None:
    """Refuse a model whose tensors do not fit its architecture, or whose embedding lacks tokens of its tokenizer.

    Args:
        folder: of the model.
        config: of `check_architecture`.
        chat: its tokenizer and template.
        sample: token ids of a conversation.
        trust_remote_code: as in loading.

    Raises:
        UserError: what does not fit, the first few and how many.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    where = f"models: {folder.name}"
    if getattr(config, "quantization_config", None):
        log.warning("%s: its weights are quantized: whether they fit its architecture is not checked", where)
        return
    model, report = load_report(folder, trust_remote_code)
    name = type(model).__name__
    # a text model that is a part of one for images too leaves the other parts' tensors alone
    others = set(config.architectures or ()) & set(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.values()) - {name}
    require_fit(where, name, {**report, "unexpected_keys": ()} if others else report)
    _require_tokens(model, where, chat, sample)


def load_report(folder: Path, trust_remote_code: bool) -> tuple[Any, Mapping[str, Any]]:
    """The model without weights, and transformers' report of loading it."""
    import transformers

    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # the report becomes one line of ours
    try:
        with config_errors(folder, "it cannot be made as config.json describes it", trust_remote_code):
            loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(  # a pair, of which its types know nothing
                folder,
                device_map="meta",
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                trust_remote_code=trust_remote_code,
            )
        return loaded
    finally:
        transformers.logging.set_verbosity(verbosity)


def require_fit(where: str, architecture: str, report: Mapping[str, Any]) -> None:
    """Refuse weights that do not fit an architecture.

    Args:
        where: what an error calls the model.
        architecture: the name of its class.
        report: transformers' of loading it. Tied tensors, and those that an architecture declares needless, are in
            none of its lists.

    Raises:
        UserError: tensors are missing, unknown, or of another shape.
    """
    missing, unknown = report["missing_keys"], report["unexpected_keys"]
    shapes = [f"{name} {list(found)} in place of {list(wanted)}" for name, found, wanted in report["mismatched_keys"]]
    problems = [
        f"{len(names)} {what} ({some(names)})"
        for names, what in ((missing, "missing"), (shapes, "of another shape"), (unknown, "unknown to it"))
        if names
    ]
    if problems:
        raise UserError(
            f"{where}: its tensors do not fit {architecture}, as config.json describes it: {'; '.join(problems)}; "
            f"{'missing ones would be random: ' if missing else ''}save the whole model again with save_pretrained, or "
            "download it again"
        )


def _require_tokens(model: Any, where: str, chat: Chat, sample: list[int]) -> None:
    tokenizer: Any = chat.tokenizer
    try:
        rows = model.get_input_embeddings().weight.shape[0]
    except NotImplementedError:  # a model with code of its own need not tell
        return
    beyond = {token: number for token, number in tokenizer.get_vocab().items() if number >= rows}
    if not beyond:
        return
    # some models have special tokens that only a larger one of the family knows, such as Gemma 3's for images
    ends = {getattr(tokenizer, name) for name in ENDS}
    template = chat.tokenizer.get_chat_template()
    special = {number for number, token in chat.tokenizer.added_tokens_decoder.items() if token.special}
    needed = [t for t, n in beyond.items() if n not in special or n in ends or n in sample or t in template]
    if needed:
        raise UserError(
            f"{where}: its embedding has {rows} rows, and its tokenizer ids up to {max(beyond.values())}: tokens "
            f"without a row: {len(needed)} ({some(needed)}); give it the tokenizer it was trained with, or resize the "
            "embedding (resize_token_embeddings), train it and save it"
        )
    log.warning("%s: texts must not hold %s, which are beyond the %d rows of its embedding", where, some(beyond), rows)
