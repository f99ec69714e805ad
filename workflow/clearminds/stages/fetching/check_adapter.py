"""Whether what somebody else trained is of a base: by the names and shapes of its tensors, which no weights are loaded
for, and by its tokenizer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.stages.fetching.check_weights import load_report, require_fit
from clearminds.stages.fetching.wording import reason, some

Shapes = Mapping[str, tuple[int, ...]]
WEIGHTS = "adapter_model.safetensors"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def named_base(folder: Path) -> str | None:
    """The base that an adapter's config names."""
    return json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")).get("base_model_name_or_path")


def check_adapter(folder: Path, base: Path, where: str, trust_remote_code: bool) -> str:
    """Refuse an adapter that cannot be put on a base, or whose tensors are not those of such an adapter.

    Args:
        folder: of the adapter.
        base: of the model.
        where: what errors call the adapter.
        trust_remote_code: as in loading the base.

    Returns:
        its kind in lower case, as PEFT calls it: lora, ia3, ...

    Raises:
        UserError: it is none that changes weights; or what does not fit, the first few and how many.
    """
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict

    model: Any = load_report(base, trust_remote_code)[0]
    try:
        config = PeftConfig.from_pretrained(str(folder))
        kind = str(config.peft_type.value).lower()
        if config.is_prompt_learning:
            raise UserError(
                f"{where}: a {kind} adapter learns virtual tokens in front of a prompt, which scoring and answering "
                "run without; take one that changes weights, such as LoRA"
            )
        if hasattr(config, "init_lora_weights"):
            config.init_lora_weights = True  # others would decompose weights that are not here
        # what is counted among the parameters that are trained is what PEFT saves
        expected = get_peft_model_state_dict(get_peft_model(model, config), save_embedding_layers=False)
    except (MemoryError, UserError):
        raise
    except Exception as error:  # an adapter's config makes PEFT raise anything
        raise UserError(
            f"{where}: it cannot be put on the model {base.name} ({reason(error)}); name the model it was trained "
            "from, or save it again with this version of PEFT"
        ) from error
    _require_equal(_shapes(folder / WEIGHTS, where), _of_tensors(expected), where, f"an adapter of {base.name}")
    return kind


def check_whole(folder: Path, base: Path, where: str, trust_remote_code: bool) -> None:
    """Refuse a model that is no fine-tuned one of a base: of other tensors, or with other tokens.

    Args:
        as of `check_adapter`, of a whole model.
    """
    for file in sorted(folder.glob("*.safetensors")):
        _shapes(file, where)
    theirs, report = load_report(folder, trust_remote_code)
    require_fit(where, type(theirs).__name__, report)
    ours = load_report(base, trust_remote_code)[0]
    found, expected = (_of_tensors(dict(model.named_parameters())) for model in (theirs, ours))
    _require_equal(found, expected, where, f"the model {base.name}")
    _require_tokens(folder, base, where)


def _require_tokens(folder: Path, base: Path, where: str) -> None:
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in TOKENIZERS):
        return  # it is asked with the base's own in any case
    try:
        found, expected = (AutoTokenizer.from_pretrained(place).get_vocab() for place in (folder, base))
    except MemoryError:
        raise
    except Exception as error:  # damaged files make the libraries raise anything
        raise UserError(f"{where}: its tokenizer cannot be loaded ({reason(error)}); save it again") from error
    if other := [token for token in found.keys() | expected.keys() if found.get(token) != expected.get(token)]:
        raise UserError(
            f"{where}: its tokenizer is not that of {base.name}: {len(other)} tokens differ ({some(other)}); it is "
            "asked with the tokens of its base: name the model it was trained from"
        )


def _require_equal(found: Shapes, expected: Shapes, where: str, what: str) -> None:
    missing, unknown = expected.keys() - found.keys(), found.keys() - expected.keys()
    shapes = [
        f"{name} {list(found[name])} in place of {list(expected[name])}"
        for name in sorted(found.keys() & expected.keys())
        if found[name] != expected[name]
    ]
    problems = [
        f"{len(names)} {kind} ({some(names)})"
        for names, kind in ((missing, "missing"), (shapes, "of another shape"), (unknown, "unknown to it"))
        if names
    ]
    if problems:
        raise UserError(
            f"{where}: its tensors are not those of {what}: {'; '.join(problems)}; name the model it was trained from, "
            "as base: of models"
        )


def _of_tensors(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _shapes(file: Path, where: str) -> dict[str, tuple[int, ...]]:
    """Of the tensors of a file, by its header."""
    from safetensors import safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118 (no mapping)
    except Exception as error:  # safetensors has errors of its own, and of the system's
        raise UserError(
            f"{where}: {file.name}: cut off or damaged, no safetensors file ({reason(error)}); fetch it again"
        ) from error
