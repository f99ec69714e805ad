"""Adapters and models that somebody else trained: not trained here, but evaluated beside the variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from clearminds.config.origins import Commit, Repository
from clearminds.config.references import among
from clearminds.config.strict import Id, Strict

if TYPE_CHECKING:
    from clearminds.config.study import Study


class GivenOrigin(Strict):
    """Where an adapter of PEFT, or a whole model, is."""

    path: str | None = Field(None, description="folder saved by save_pretrained; ~ and $NAME are replaced")
    hub: Repository | None = Field(None, description="owner/name on the hub")
    revision: Commit | None = Field(None, description="commit of the hub repository, its full hash")
    base: Id | None = Field(None, description="of models, the one it was trained from; may be left out of one model's")

    @model_validator(mode="after")
    def _one_origin(self) -> GivenOrigin:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give exactly one of path and hub")
        if self.hub and not self.revision:
            raise ValueError("hub needs revision, a pinned commit, beside it")
        return self


class Given(Strict):
    """One row of the result table that is not trained here."""

    adapter: GivenOrigin = Field(description="an adapter, or a whole model, that somebody else trained")
    trained_on: Id | None = Field(
        None, description="of targets, the task that it was trained on: it is shown there alone; null: beside all"
    )


def apart(study: Mapping[str, Any]) -> dict[str, Any]:
    """A study whose variants with an `adapter` of their own are under `given`."""
    if "given" in study:
        raise ValueError("given: unknown key; what somebody else trained is one of variants, with adapter: {path: ...}")
    variants = study.get("variants")
    if not isinstance(variants, Mapping):
        return dict(study)
    given = {name: block for name, block in variants.items() if isinstance(block, Mapping) and "adapter" in block}
    if not given:
        return dict(study)
    return {**study, "variants": {k: v for k, v in variants.items() if k not in given}, "given": given}


def check_given(study: Study, name: str) -> None:
    """Refuse bases and targets that there are none of. Args: the study; which of `given`."""
    given, where = (study.given or {})[name], f"variants: {name}"
    if name == "base":
        raise ValueError("variants: base is built in (the model as it is); give another name")
    if name in study.variants:
        raise ValueError(f"{where}: a sweep makes a variant of this name too; give what somebody else trained another")
    named = ((f"{where}: adapter: base", given.adapter.base, study.models),)
    for place, found, allowed in (*named, (f"{where}: trained_on", given.trained_on, study.targets)):
        among(place, [] if found is None else [found], allowed)
    if given.adapter.base is None and len(study.models) > 1:
        raise ValueError(
            f"{where}: adapter: base: missing; name the model it was trained from: {', '.join(study.models)}"
        )
