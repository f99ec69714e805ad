"""The README of an export, which is the data card of its training set, and the same facts as JSON."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from clearminds.commands.exporting.trained import ADAPTER, MODEL, TOKENIZER
from clearminds.plugins.rule_words import in_words
from clearminds.stages.training.loss_in_words import loss_in_words

CARD = """---
{metadata}
---

# {title}

The training set of one variant of the study `{study}`, exported by clearminds: token ids, the label of each, and its
weight in the loss.

## What it is

{facts}

## What is in this folder

{contents}

## How to train on it

`datasets.load_from_disk("dataset")` has the columns `input_ids`, `attention_mask`, `labels` and `weights`, a row per
example. `labels` are not shifted; -100 leaves a token out of the loss: all of the prompt, and what the rule masks.
{weights}

Nothing is to be tokenized again, and no chat template to be applied. `labels.parquet` is the same without `weights`,
for tools that take no other columns. The settings of several tools are in docs/export.md of clearminds.

## Licence

An export has no licence of its own. The texts are those of the data that the study was given or of the model that
sampled them, {trained}and the terms of both hold here too: look them up before you pass this folder on.
"""
BINARY = "Every weight is 0 or 1, so `labels` say all."
SOFT = (
    "**The weights are not only 0 and 1:** a token with any weight above 0 has its label, and `weights` (float32) has "
    "the number. A tool that reads `labels` alone gives all of them the weight 1, which is another training."
)
CONTENTS = {
    "dataset": "the training set, saved by `save_to_disk`",
    "labels.parquet": "the same without `weights`",
    ADAPTER: "the adapter as it was trained, in PEFT's format, with a card of its own",
    MODEL: "the trained model, with its tokenizer: load it by `AutoModelForCausalLM`",
    TOKENIZER: "the tokenizer that the token ids are of, with the chat template that the study used",
    "export.json": "every setting behind the masks and the training, fingerprints, counts, and hashes of files",
}


def facts(names: dict[str, Any], masks: dict, counted: dict[str, int | bool], training: dict | None) -> dict[str, Any]:
    """What is told of an export, JSON-able.

    Args:
        names: study, model, target, variant and seed.
        masks: the provenance of the masks.
        counted: of `training_set.counts`.
        training: what `adapter.json` says; None: nothing trained is exported.
    """
    rule = masks["masks"].get("fitted", masks["spec"]["weights"])
    prints = {key: masks[key] for key in ("base", "model", "tokenizer", "chat_template", "scorer")}
    found = {**names, "rule": rule, "words": in_words(rule), "counts": counted, "fingerprints": prints}
    made = {"masks": {key: masks[key] for key in ("spec", "code", "counts", "libraries", "scoring")}}
    if training:
        made["training"] = {key: training[key] for key in ("spec", "code", "kind", "files")}
    return {**found, "made_by": made}


def card(found: dict[str, Any], folder: Path) -> str:
    """The text of the README. Args: of `facts`; the folder of the export, filled but for this and its JSON."""
    counted, training = found["counts"], found["made_by"].get("training")
    there = [name for name in CONTENTS if name == "export.json" or (folder / name).exists()]
    metadata = DatasetCardData(
        pretty_name=f"{found['study']}: {found['variant']}",
        license="unknown",
        task_categories=["text-generation"],
        tags=["clearminds"],
        configs=[{"config_name": "default", "data_files": "labels.parquet"}],
    )
    text = CARD.format(
        metadata=metadata.to_yaml(),
        title=f"{found['target']}/{found['variant']}",
        study=found["study"],
        facts="\n".join(f"- {name}: {value}" for name, value in _facts(found, training).items()),
        contents="\n".join(f"- `{name}`: {CONTENTS[name]}" for name in there),
        weights=BINARY if counted["binary"] else SOFT,
        trained="what was trained comes from its base model, " if training else "",
    )
    return DatasetCard(text).content


def _facts(found: dict[str, Any], training: dict | None) -> dict[str, str]:
    """By what they are called."""
    masks, counted, prints = found["made_by"]["masks"], found["counts"], found["fingerprints"]
    spec, examples = masks["spec"], masks["counts"]
    drawn = f", drawn with seed {spec['draw']}" if spec.get("draw") is not None else ""
    told = {
        "rule": f"{found['words']} (`{json.dumps(found['rule'])}`{drawn})",
        "token perplexities": f"of {prints['base']}, computed in {masks['scoring']['dtype']}",
        "responses": f"source `{spec['responses']}`",
        "examples": (
            f"{counted['examples']:,} of the {examples['examples']:,} of split train, each of at most "
            f"{spec['max_length']:,} tokens; {counted['unlabelled']:,} of them without a label"
        ),
        "tokens": (
            f"{counted['tokens']:,} with the prompts, {counted['response']:,} of responses, {counted['labelled']:,} of "
            "them with a label"
        ),
        "tokenizer": f"of {prints['base']}, fingerprint `{prints['tokenizer']}`",
        "chat template": f"fingerprint `{prints['chat_template']}`",
        "masks": f"SHA-256 of their content `{found['content']}`",
    }
    if training:
        settings, seed = training["spec"]["training"], training["spec"]["seed"]
        loss = loss_in_words(settings, "the tokens with a label, each by its weight")
        told["the study's own training"] = f"{settings['adapter']}, seed {seed}; its loss: {loss}"
    return told
