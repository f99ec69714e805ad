"""The studies of the repository made tiny, to run whole on a random model; and how many jobs each of them has."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import yaml

from clearminds.checkout import ROOT
from clearminds.config.presets import load_preset
from clearminds.config.study import Study
from clearminds.config.weights import draws, tuned_of

SPLITS = {"train": 6, "test": 2}  # items
ASKED = ("text", "prompt", "problem", "question")  # columns of presets' rows: what is asked, and ids
IDS = ("task_id", "unique_id", "id")
THRESHOLDS = ("tau", "tau_low", "tau_high", "at_most")


def written(name: str) -> dict:
    """A study as its file has it. Args: name: of the file in studies/, without .yaml."""
    return yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text(encoding="utf-8"))


def made_tiny(study: dict, model: Path, rows: Path, targets: int = 1, only: Sequence[str] | None = None) -> dict:
    """The same models, variants and tasks with a few items, one seed and one suite.

    Args:
        study: as its file has it.
        model: a folder with a tiny model, which takes each model's place.
        rows: a folder of data sets, to which rows that presets show are added.
        targets: how many of its targets, the first ones.
        only: names of its variants, those of sweeps as they are read; None: all of them.
    """
    sampled = {"samples": 2, "max_new_tokens": 6, "when_none_accepted": "reference", "dtype": "float32"}
    variants = Study.model_validate(study).model_dump(exclude_none=True)["variants"]
    variants = {name: variants[name] for name in only or variants}
    small = {"rank": 2, "epochs": 1, "batch_examples": 4, "learning_rate": 0.01, "warmup_steps": 0, "dtype": "float32"}
    return {
        "study": study["study"],
        "match": study["match"],
        "variants": {name: {**one, "weights": _eased(one["weights"])} for name, one in variants.items()},
        "targets": study["targets"][:targets],
        "models": {name: {"path": str(model)} for name in study["models"]},
        "tasks": {name: _small(block, rows) for name, block in study["tasks"].items()},
        "suites": {"all": [task for suite in study["suites"].values() for task in suite]},
        "sources": {
            name: {**sampled, **({"kind": source["kind"]} if "kind" in source else {})}
            for name, source in study.get("sources", {}).items()
        },
        "training": {**study["training"], **small},
        "evaluation": {"max_new_tokens": 6, "dtype": "float32"},
        "seeds": [0],
    }


def _eased(weights: dict) -> dict:
    """A rule with thresholds that leave tokens of a random model, which is surprised by all of them."""
    given = {key: weights[key] for key in THRESHOLDS if weights.get(key, "auto") != "auto"}
    eased = {key: type(limit)(f"{100 * float(limit):g}") for key, limit in given.items()}
    inner = {"of": [_eased(rule) for rule in weights["of"]]} if "of" in weights else {}
    return {**weights, **eased, **inner}


def _small(block: dict, rows: Path) -> dict:
    """A task with a few items; one of a preset reads rows like the one that the preset shows."""
    if "preset" not in block:
        few = {split: min(SPLITS[split], number) for split, number in block["splits"].items() if split in SPLITS}
        return {**block, "splits": few}
    preset = load_preset(block["preset"])
    splits = {split: SPLITS.get(split) for split in preset.task["splits"]}
    for split, number in ((split, number) for split, number in splits.items() if number):
        made = [_another(preset.example, split, n) for n in range(number)]
        pl.DataFrame(made).write_parquet(rows / f"{block['preset']}-{split}.parquet")
    return {**block, "path": str(rows), "splits": splits}


def _another(row: dict, split: str, n: int) -> dict:
    """A row with another id and another question."""
    ids = {key: n if isinstance(row[key], int) else f"{split}_{n}" for key in IDS if key in row}
    return {**row, **ids, **{key: f"{row[key]} ({split} {n})" for key in ASKED if key in row}}


def jobs(study: Study) -> Counter[str]:
    """How many jobs of each rule a study has, by its numbers of models, targets, variants, seeds, suites and shards."""
    variants = [study.variants[name] for name in study.variants for _ in study.targets_of(name)]  # one for each target
    models, targets, seeds, suites = (len(x) for x in (study.models, study.targets, study.seeds, study.suites))
    used = {*study.match.sources, *(variant.responses for variant in variants)}
    evaluated = [task for members in study.suites.values() for task in members if task in study.tasks]
    drifts = sum(study.tasks[task].evaluate == "drift" for task in evaluated)
    adapters = {
        (tuned.variant, tuned.seed, variant.responses) for variant in variants for tuned in tuned_of(variant.weights)
    }
    scored = targets * (len(used) + len(adapters))
    shards = study.runtime.shards if study.runtime.shards > 1 else 0
    per_model = {
        "fetch_model": 1,
        "rehearse": 1,
        "generate_responses": targets * len(used) + drifts,
        "generate_shard": shards * (targets * len(used - {"reference"}) + drifts),
        "verify_responses": targets * len(used),
        "score_token_perplexity": scored,
        "score_shard": shards * scored,
        "build_masks": sum(seeds if draws(variant.weights) else 1 for variant in variants),
        "train_adapter": len(variants) * seeds,
        "evaluate_base": suites,
        "evaluate_adapter": len(variants) * seeds * suites,
    }
    once = {"prepare_task": targets + len(evaluated), "summarise": 1, "report": 1}
    return +Counter({**once, **{rule: models * count for rule, count in per_model.items()}})
