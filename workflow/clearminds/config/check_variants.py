"""What variants must agree on with the rest of a study, and with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from clearminds.config.blocks import HELD_OUT, Training
from clearminds.config.given import check_given
from clearminds.config.references import among, has_split, unique
from clearminds.config.replay import check_replay
from clearminds.config.starts import check_start, scoring_variants
from clearminds.config.weights import circle, draws, imitated, models_of, tuned_of
from clearminds.config.wording import problem

if TYPE_CHECKING:
    from clearminds.config.study import Study


def check_variants(study: Study) -> None:
    """Refuse variants that name what there is not, or cannot be trained as they say."""
    for name, variant in study.variants.items():
        if name == "base":
            raise ValueError("variants: base is built in (the model as it is); give another name")
        among(f"variants: {name}: responses", [variant.responses], ["reference", *study.sources])
        _can_be_replayed(study, name)
        _trains(study, name)
        _can_be_spread(study, name)
        _has_its_base(study, name)
        _can_imitate(study, name)
        _can_be_scored(study, name)
    if not study.variants and not study.given:
        raise ValueError("variants: there is none; add one, as in ground-truth: {responses: reference}")
    _are_trained_on(study)
    for name in study.given or {}:
        check_given(study, name)
    for name in study.variants:
        check_start(study, name)
        check_replay(study, name)
    _can_be_analysed(study)


def _trains(study: Study, name: str) -> None:
    variant = study.variants[name]
    among(f"variants: {name}: training", list(variant.training), list(Training.model_fields))
    if "max_length" in variant.training:
        raise ValueError(f"variants: {name}: training: max_length fixes the matched examples; set it for all variants")
    if study.match.by is not None and "epochs" in variant.training:
        raise ValueError(
            f"variants: {name}: training: epochs: match: by: {study.match.by} makes trainings equally long, by "
            "the epochs of all variants; take the key out, or set match: by: examples"
        )
    try:
        study.training_of(name)
    except ValidationError as error:
        key = error.errors()[0]["loc"][:1]  # none, where keys do not fit together
        of_key = [e for e in error.errors() if e["loc"][:1] == key]
        # of a value that could be of two types, the error that went deeper into one of them
        deepest = max((e["loc"] for e in of_key), key=len)
        found = problem([e for e in of_key if len(e["loc"]) == len(deepest)])
        place = [*key, *(part for part in deepest[1:] if isinstance(part, int))]
        raise ValueError(": ".join([f"variants: {name}: training", *map(str, place), found])) from None


def _can_be_replayed(study: Study, name: str) -> None:
    replay = study.variants[name].replay
    if replay is None:
        return
    where = f"variants: {name}: replay"
    among(f"{where}: task", [replay.task], [task for task in study.tasks if study.tasks[task].splits])
    among(f"{where}: source", [replay.source], ["reference", *study.sources])
    has_split(replay.task, study.tasks[replay.task], "train", f"of which variants: {name} replays examples")


def _are_trained_on(study: Study) -> None:
    """Refuse targets of variants that there are none of, and those of which nobody is left."""
    for name, variant in study.variants.items():
        among(f"variants: {name}: targets", variant.targets or [], study.targets)
        unique(f"variants: {name}: targets", variant.targets or [])
        for scorer in scoring_variants(study, variant.weights):
            if missing := [t for t in study.targets_of(name) if t not in study.targets_of(scorer)]:
                raise ValueError(
                    f"variants: {name}: weights: scorer: variant: {scorer} is not trained on {missing[0]}; "
                    "add that to its targets, or name another variant"
                )
    for target in study.targets:
        named = [given.trained_on or target for given in (study.given or {}).values()]
        if target not in named and not any(target in study.targets_of(name) for name in study.variants):
            raise ValueError(f"targets: {target}: no variant has it among its targets; take it out, or add it there")


def _can_be_analysed(study: Study) -> None:
    """Refuse a curve of losses that nothing takes, or that there are no references for."""
    unique("analyses", study.analyses or [])
    for name in dict.fromkeys(target for variant in study.held_out for target in study.targets_of(variant)):
        has_split(name, study.tasks[name], HELD_OUT, "whose loss is asked for by training: validation_every")
    if "convergence" in (study.analyses or []) and not study.held_out:
        raise ValueError(
            "analyses: convergence shows the loss on a validation split; set training: validation_every: STEPS, or "
            "take convergence out"
        )


def _can_be_scored(study: Study, variant: str) -> None:
    """Refuse scorers that there are none of, and variants that wait for each other."""
    where, weights = f"variants: {variant}: weights", study.variants[variant].weights
    among(f"{where}: scorer", models_of(weights), study.models)
    for tuned in tuned_of(weights):
        among(f"{where}: scorer: variant", [tuned.variant], study.variants)
        if tuned.seed is not None and tuned.seed not in study.seeds:
            raise ValueError(
                f"{where}: scorer: seed: {tuned.seed} is not one of seeds: {', '.join(map(str, study.seeds))}"
            )
    rules = {name: other.weights for name, other in study.variants.items()}
    if found := circle([variant], rules):
        raise ValueError(f"{where}: {' -> '.join(found)}: one of them needs a rule that waits for no other variant")


def _can_imitate(study: Study, variant: str) -> None:
    """Refuse a rule that is like another variant's, where that has no counts of its own to imitate."""
    where, own = f"variants: {variant}: weights: like", study.variants[variant]
    for like in imitated(own.weights):
        if len(study.variants) == 1:
            raise ValueError(
                f"{where}: {like} is not declared: there is no other variant; add the one whose number of masked "
                "tokens is imitated"
            )
        among(where, [like], [other for other in study.variants if other != variant])
        other = study.variants[like]
        if draws(other.weights) or other.responses != own.responses:
            raise ValueError(f"{where}: {like} must have the same responses and a rule that does not draw at random")


def _can_be_spread(study: Study, variant: str) -> None:
    """Refuse what several processes of a training could not do, before responses and scores are paid for."""
    training, gpus = study.training_of(variant), max(study.runtime.devices, 1)
    if training.batch_examples % gpus:
        raise ValueError(
            f"variants: {variant}: training: batch_examples: {training.batch_examples} must be a multiple of "
            f"runtime: gpus: {gpus}, which share each step"
        )
    if not study.runtime.fsdp:
        return
    takes = {"dora": "takes norms of", "pissa": "takes singular values of", "full": "saves"}.get(training.adapter)
    if takes:
        raise ValueError(
            f"variants: {variant}: training: adapter: {training.adapter} {takes} whole weights, which runtime: "
            "fsdp spreads; set adapter: lora, or unset runtime: fsdp"
        )
    for name, model in study.models.items():
        if model.quantization != "none":
            raise ValueError(f"models: {name}: quantization: weights of 4 bits cannot be spread; unset runtime: fsdp")


def _has_its_base(study: Study, variant: str) -> None:
    """Refuse what changes the base's own weights where the base is asked, or where these have four bits."""
    adapter, loss = study.training_of(variant).adapter, study.variants[variant].loss
    if adapter not in ("pissa", "full"):
        return
    where = f"variants: {variant}: training: adapter: {adapter}"
    if loss and study.asks_the_base(variant):
        raise ValueError(
            f"{where} changes the base's weights, which loss: rule: {loss.rule} compares with; set adapter: lora, "
            "dora or rslora, or another rule"
        )
    for name, model in study.models.items():
        if model.quantization != "none":
            raise ValueError(
                f"{where} changes whole weights, but models: {name}: quantization: {model.quantization}; set "
                "adapter: lora, or quantization: none"
            )
