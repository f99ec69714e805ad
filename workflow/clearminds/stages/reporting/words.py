"""What variants are, in words: where their responses come from, and which tokens of these count."""

from collections.abc import Mapping

from clearminds.plugins.rule_words import in_words
from clearminds.stages.training.loss_in_words import loss_in_words

RESPONSES = {
    "reference": "the references",
    "self_output": "the model's own answers",
    "rephrase": "references that the model has worded anew",
}


Fitted = Mapping[tuple[str, str, str], float]


def said(
    variants: Mapping[str, Mapping],
    sources: Mapping[str, Mapping],
    shared: Mapping[str, object],
    fitted: Fitted | None = None,
) -> dict[str, str]:
    """Each variant that is trained here, in a sentence.

    Args:
        variants, sources, shared: blocks of the config, the last one `training`.
        fitted: of `thresholds`.
    """
    return {
        name: _said(keys, sources, shared, _chosen(name, fitted or {}))
        for name, keys in variants.items()
        if "responses" in keys
    }


def thresholds(masks: list[dict], facts: list[dict]) -> dict[tuple[str, str, str], float]:
    """The tau that a rule has taken from the scores, by model, target and variant. Args: as of `rules`."""
    found = {}
    for mask, own in zip(masks, facts, strict=True):
        if tau := (own["masks"].get("fitted") or {}).get("tau"):
            found[mask["model"], mask["target"], mask["variant"]] = float(tau)
    return found


def _chosen(variant: str, fitted: Fitted) -> str:
    """What the data chose as tau, in words; by target where these differ."""
    own = {target: tau for (_, target, name), tau in fitted.items() if name == variant}
    if not own:
        return "a tau chosen by the data"
    values = [f"{tau:.3g}" for tau in own.values()]
    by_target = ", ".join(f"{value} for {target}" for value, target in zip(values, own, strict=True))
    return f"a tau chosen by the data ({values[0] if len(set(values)) == 1 else by_target})"


def _said(keys: Mapping, sources: Mapping[str, Mapping], shared: Mapping[str, object], chosen: str) -> str:
    source = keys["responses"]
    kind = sources.get(source, {}).get("kind") or source
    responses = RESPONSES.get(kind, source)
    if source not in RESPONSES and responses != source:
        responses += f" ({source})"
    training = {**shared, **(keys.get("training") or {})}
    loss = {
        key: value for key, value in (("loss", keys.get("loss")), ("normaliser", training.get("normaliser"))) if value
    }
    weights = keys.get("weights") or {"rule": "all"}
    tokens = in_words({**weights, "tau": chosen} if weights.get("tau") == "auto" else weights)
    others = {key: value for key, value in keys.items() if value and key not in ("responses", "weights", "loss")}
    rest = "".join(f"; {key.replace('_', ' ')}: {_plain(value)}" for key, value in others.items())
    return f"Trained on {responses}; loss: {loss_in_words(loss, tokens)}{rest}."


def _short(parameters: Mapping) -> dict:
    """The parameters of a rule with three digits of numbers, which are enough to read."""

    def short(key: str, value: object) -> object:
        if isinstance(value, Mapping):
            return _short(value)
        if isinstance(value, list):
            return [short(key, one) for one in value]
        if isinstance(value, float) or (key == "tau" and value != "auto"):
            return f"{float(value):.3g}"  # type: ignore[arg-type]  # of a tau, a text that is a number
        return value

    return {key: short(key, value) for key, value in parameters.items()}


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
        words = in_words(_short(own["masks"].get("fitted") or own["spec"]["weights"]))
        row = {**{key: mask[key] for key in ("variant", "model", "target")}, "words": words}
        if row not in (rows := found.setdefault(mask["variant"], [])):
            rows.append(row)
    alike = {variant: len({row["words"] for row in rows}) == 1 for variant, rows in found.items()}
    return [{**row, "alike": alike[v]} for v, rows in found.items() for row in (rows[:1] if alike[v] else rows)]
