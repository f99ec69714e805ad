"""What variants are, in words: where their responses come from, and which tokens of these count."""

from collections.abc import Mapping

from clearminds.plugins.rule_words import in_words
from clearminds.stages.training.loss_in_words import loss_in_words

RESPONSES = {
    "reference": "the references",
    "self_output": "the model's own answers",
    "rephrase": "references that the model has worded anew",
}


def said(
    variants: Mapping[str, Mapping], sources: Mapping[str, Mapping], shared: Mapping[str, object]
) -> dict[str, str]:
    """Each variant that is trained here, in a sentence. Args: blocks of the config, the last one `training`."""
    return {name: _said(keys, sources, shared) for name, keys in variants.items() if "responses" in keys}


def _said(keys: Mapping, sources: Mapping[str, Mapping], shared: Mapping[str, object]) -> str:
    source = keys["responses"]
    kind = sources.get(source, {}).get("kind") or source
    responses = RESPONSES.get(kind, source)
    if source not in RESPONSES and responses != source:
        responses += f" ({source})"
    training = {**shared, **(keys.get("training") or {})}
    loss = {
        key: value for key, value in (("loss", keys.get("loss")), ("normaliser", training.get("normaliser"))) if value
    }
    tokens = in_words(keys.get("weights") or {"rule": "all"})
    others = {key: value for key, value in keys.items() if value and key not in ("responses", "weights", "loss")}
    rest = "".join(f"; {key.replace('_', ' ')}: {_plain(value)}" for key, value in others.items())
    return f"Trained on {responses}; loss: {loss_in_words(loss, tokens)}{rest}."


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)


def rules(masks: list[dict], facts: list[dict]) -> list[dict]:
    """Which tokens count in each variant, once where that is the same for all models and targets.

    Args:
        masks: variant, model and target of each.
        facts: their provenance, which has what a rule took from the scores.
    """
    found: dict[str, list[dict]] = {}
    for mask, own in zip(masks, facts, strict=True):
        words = in_words(own["masks"].get("fitted") or own["spec"]["weights"])
        row = {**{key: mask[key] for key in ("variant", "model", "target")}, "words": words}
        if row not in (rows := found.setdefault(mask["variant"], [])):
            rows.append(row)
    alike = {variant: len({row["words"] for row in rows}) == 1 for variant, rows in found.items()}
    return [{**row, "alike": alike[v]} for v, rows in found.items() for row in (rows[:1] if alike[v] else rows)]
