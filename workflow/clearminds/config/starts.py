"""A training that begins where another one ended: from which variant, and which of them there can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from clearminds.config.references import among
from clearminds.config.strict import Id, Strict
from clearminds.config.values import Seed
from clearminds.config.weights import Weights, imitated, tuned_of

if TYPE_CHECKING:
    from clearminds.config.blocks import Training
    from clearminds.config.study import Study

Trained = tuple[str, str]  # a variant and the target that it is trained on


class StartFrom(Strict):
    """The trained variant of the same model that a training begins from."""

    variant: Id = Field(description="one of this study")
    target: Id | None = Field(None, description="that it was trained on; null: the same target")
    seed: Annotated[Seed | Literal["same"] | None, AfterValidator(lambda seed: None if seed == "same" else seed)] = (
        Field(None, description="of that training; null or same: the seed of the training that begins")
    )


Start = Annotated[
    Id | StartFrom | None,
    AfterValidator(lambda start: StartFrom(variant=start) if isinstance(start, str) else start),
]


def check_start(study: Study, name: str) -> None:
    """Refuse a start that there is none of, that cannot be gone on with, or that waits for this variant itself.

    Args:
        study: whose rules of weights have been checked.
        name: of a variant.
    """
    start, where = study.variants[name].start_from, f"variants: {name}: start_from"
    if not isinstance(start, StartFrom):
        return
    for key, found, allowed in (("variant", start.variant, study.variants), ("target", start.target, study.targets)):
        among(f"{where}: {key}", [] if found is None else [found], allowed)
    if start.seed is not None and start.seed not in study.seeds:
        raise ValueError(f"{where}: seed: {start.seed} is not one of seeds: {', '.join(map(str, study.seeds))}")
    for target in study.targets_of(name):
        if (start.target or target) not in study.targets_of(start.variant):
            raise ValueError(
                f"{where}: {start.variant} is not trained on {start.target or target}; add that to its targets, or "
                f"name another target here ({', '.join(study.targets_of(start.variant))})"
            )
        if found_circle := _circle(study, [(name, target)]):
            shown = " -> ".join(f"{variant} on {task}" for variant, task in found_circle)
            raise ValueError(f"{where}: {shown}: one of them needs a start that waits for no other variant")
    if study.runtime.fsdp:
        raise ValueError(f"{where}: runtime: fsdp spreads weights before a start can be put on them; unset fsdp")
    _check_kinds(where, study.training_of(name), start.variant, study.training_of(start.variant))


def _circle(study: Study, path: list[Trained]) -> list[Trained] | None:
    """Trainings that wait for each other, from the last of `path` on; None: there are none."""
    for trained in _waits_for(study, path[-1]):
        if trained in path:
            return [*path, trained]
        if found := _circle(study, [*path, trained]):
            return found
    return None


def _waits_for(study: Study, trained: Trained) -> Iterator[Trained]:
    name, target = trained
    start = study.variants[name].start_from
    if isinstance(start, StartFrom) and start.variant in study.variants:
        yield start.variant, start.target or target
    yield from ((scorer, target) for scorer in scoring_variants(study, study.variants[name].weights))


def trained_before(study: Study, name: str, target: str) -> list[str]:
    """The other tasks whose data a training sees too: what it replays, and what its start was trained on.

    Args:
        study: that has been checked.
        name, target: of a training.
    """
    variant = study.variants[name]
    found = [variant.replay.task] if variant.replay else []
    if isinstance(start := variant.start_from, StartFrom):
        other = start.target or target
        found += [other, *trained_before(study, start.variant, other)]
    return [task for task in dict.fromkeys(found) if task != target]


def scoring_variants(study: Study, weights: Weights) -> Iterator[str]:
    """The variants whose adapters score for a rule, or for one that it imitates."""
    yield from (scorer.variant for scorer in tuned_of(weights))
    for like in imitated(weights):
        yield from scoring_variants(study, study.variants[like].weights)


def _check_kinds(where: str, own: Training, name: str, other: Training) -> None:
    if own.adapter == "full":  # of an adapter: with that in its weights
        return
    if own.adapter == "pissa":
        raise ValueError(
            f"{where}: training: adapter: pissa begins with singular values of the base, and so from no adapter; set "
            "adapter: lora"
        )
    if other.adapter == "full":
        raise ValueError(
            f"{where}: {name} trains all weights (adapter: full), which an adapter of the base cannot go on from; set "
            "training: {adapter: full} here too"
        )
    ours, theirs = _saved(own), _saved(other)
    if different := [key for key in ours if ours[key] != theirs[key]]:
        key = different[0]
        raise ValueError(
            f"{where}: the adapter of {name} has {key}: {theirs[key]}, and this variant {key}: {ours[key]}; the same "
            f"adapter is trained further: set training: {{{key}: {theirs[key]}}}"
        )


def _saved(training: Training) -> dict[str, object]:
    """What the saved adapter is made of; PiSSA's is an ordinary one of twice the rank (`stages/training/pissa.py`)."""
    pissa = training.adapter == "pissa"
    return {
        "adapter": "lora" if pissa else training.adapter,
        "rank": training.rank * (1 + pissa),
        "alpha": training.alpha * (1 + pissa),
        "target_modules": training.target_modules,
    }
