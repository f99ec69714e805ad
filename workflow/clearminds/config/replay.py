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
        if (replay := variant.replay) and replay.source not in found.setdefault(replay.task, []):
            found[replay.task].append(replay.source)
    return found


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
    if task.kind == "everyday_prompts" and replay.source == "reference":
        raise ValueError(
            f"{where}: source: {replay.task} has no references; name one of sources, which samples the base's own "
            f"answers ({', '.join(study.sources) or 'there is none yet'})"
        )
    if draws(replay.weights) or imitated(replay.weights) or scorers_of(replay.weights):
        raise ValueError(
            f"{where}: weights: a rule that is like another variant's, or that another model scores for, is not for "
            "replayed examples; take one that reads the base's scores, or all"
        )
