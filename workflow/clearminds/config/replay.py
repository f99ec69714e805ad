"""Data of another task that a variant trains on beside its target's, so that it does not forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from clearminds.config.strict import Id, Strict
from clearminds.config.values import Number
from clearminds.config.weights import AllTokens, Weights, draws, imitated, scorers_of

if TYPE_CHECKING:
    from clearminds.config.study import Study


class Replay(Strict):
    """Examples that are mixed into a variant's own."""

    task: Id = Field(description="whose split train they are of")
    source: Id = Field("reference", description="of their responses: reference, or one of the sources")
    share: Number = Field(gt=0, lt=1, description="of the examples of a pass, the variant's own ones included")
    weights: Weights = Field(AllTokens(rule="all"), description="the rule for their tokens; all: each counts")


def replayed(study: Study) -> dict[str, list[str]]:
    """The tasks that any variant replays, each with the sources that it is replayed from."""
    found: dict[str, list[str]] = {}
    for variant in study.variants.values():
        if variant.replay:
            named = found.setdefault(variant.replay.task, [])
            named += [source for source in _sources(study, variant.replay) if source not in named]
    return found


def _sources(study: Study, replay: Replay) -> list[str]:
    """The source that is replayed, and the references where those take the place of samples that none accepts."""
    source = study.sources.get(replay.source)
    return [replay.source, *(["reference"] if source and source.when_none_accepted == "reference" else [])]


def check_replay(study: Study, name: str) -> None:
    """Refuse what cannot be mixed into a variant's examples. Args: the study; a variant whose replay names its tasks
    and sources."""
    replay, where = study.variants[name].replay, f"variants: {name}: replay"
    if replay is None:
        return
    task = study.tasks[replay.task]
    if replay.task in study.targets_of(name):
        raise ValueError(
            f"{where}: task: {replay.task} is what the variant is trained on itself; name another task, or give the "
            "variant other targets"
        )
    if task.kind == "everyday_prompts" and "reference" in _sources(study, replay):
        raise ValueError(
            f"{where}: source: {replay.task} has no references; name one of sources, which samples the base's own "
            "answers, and whose when_none_accepted is not reference "
            f"({', '.join(study.sources) or 'there is none yet'})"
        )
    if draws(replay.weights) or imitated(replay.weights) or scorers_of(replay.weights):
        raise ValueError(
            f"{where}: weights: a rule that is like another variant's, or that another model scores for, is not for "
            "replayed examples; take one that reads the base's scores, or all"
        )
