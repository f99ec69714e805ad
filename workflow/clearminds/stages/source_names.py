"""Which sources a variant's masks are built from, in the order in which their tables are given to the stage."""

from collections.abc import Mapping, Sequence


def source_names(match: Sequence[str], responses: str, policies: Mapping[str, str]) -> list[str]:
    """The matched sources, the variant's own, and the references where a source falls back to them.

    Args:
        match: the matched sources.
        responses: the variant's own.
        policies: by source, its `when_none_accepted`.
    """
    names = [*match, responses]
    falls_back = any(policies.get(name) == "reference" for name in names)
    return list(dict.fromkeys([*names, "reference"] if falls_back else names))


def scorer_names(weights: object) -> list[str]:
    """The models whose scores a rule, or one that it holds, asks for by name, sorted. Args: its settings."""
    found: set[str] = set()
    if isinstance(weights, Mapping):
        found = {weights[key] for key in ("scorer", "reference") if key in weights}
    held = weights.values() if isinstance(weights, Mapping) else weights if isinstance(weights, list) else ()
    return sorted(found.union(*map(scorer_names, held)))
