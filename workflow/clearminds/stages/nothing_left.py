"""What a user is told where a variant has nothing to train on: why, by the counts, and what to change."""

import math
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from clearminds.files.tables import read_provenance
from clearminds.plugins.rule_words import in_words
from clearminds.stages.select_examples import ACCEPTED, Choice, SourceTables, candidates


def no_example_left(
    source: str,
    match: Sequence[str],
    fallbacks: Mapping[str, str],
    max_length: int,
    tables: Mapping[str, SourceTables],
    choices: Mapping[str, Mapping[str, Choice]],
) -> str:
    """Why none of a task's examples is left.

    Args:
        source: the variant's.
        match: the sources that fix the matched examples.
        fallbacks: `when_none_accepted` of each sampled source.
        max_length: most tokens of a conversation.
        tables: of every source.
        choices: the response per example that each source offers.
    """
    begin = f"variant of source {source}: no example is left to train on: "
    empty = [name for name, chosen in choices.items() if not chosen]
    if not empty:
        offered = ", ".join(f"{name}: {len(chosen)}" for name, chosen in choices.items())
        return (
            f"{begin}no example is offered by all of {', '.join(dict.fromkeys([*match, source]))} (examples that each "
            f"offers: {offered}); ask for more samples, set when_none_accepted: reference, or list fewer sources "
            "under match"
        )
    if any(fallbacks.get(name) == "reference" for name in empty):
        empty.append("reference")
    return begin + "; ".join(_why_none(name, tables[name], max_length) for name in dict.fromkeys(empty))


def _why_none(name: str, tables: SourceTables, max_length: int) -> str:
    found, too_long = candidates(tables, max_length)
    left_out = read_provenance(tables.sequences).get("left_out") or {}
    own = f"sources: {name}:"
    rejected = found.height - found.filter(pl.col("verdict").is_in(ACCEPTED)).height
    more = f"raise {own} samples or set {own} when_none_accepted"
    if name == "reference":
        more = "correct the references, or set the task's verifier: unverified"
    reasons = [
        (too_long, f"are longer than training: max_length ({max_length} tokens)", "raise training: max_length"),
        (left_out.get("cut", 0), f"were cut at {own} max_new_tokens", f"raise {own} max_new_tokens"),
        (left_out.get("too_long", 0), "are longer than the model can take", "take a model of more positions"),
        (left_out.get("merged", 0), "begin with blanks that merge with the prompt", f"raise {own} samples"),
        (left_out.get("special_tokens", 0), "hold a special token", "set the task's special_tokens: as_text or keep"),
        (rejected, "were not accepted by the verifier", more),
    ]
    counted = sorted((reason for reason in reasons if reason[0]), key=lambda reason: -reason[0])
    if not counted:
        return f"source {name} has no response to any of the examples"
    counts = ", ".join(f"{n:,} {what}" for n, what, _ in counted)
    return f"of source {name}'s responses {counts}: {', or '.join(dict.fromkeys(remedy for *_, remedy in counted))}"


def every_token_masked(variant: str, target: str, weights: Mapping, n_tokens: int, logprobs: Iterable[float]) -> str:
    """Why a variant would train nothing, though it has examples.

    Args:
        variant, target: their ids.
        weights: the rule and its settings.
        n_tokens: of the responses.
        logprobs: the largest log-probability of each response.
    """
    begin = f"variant {variant}, target {target}: rule {weights['rule']} masks all {n_tokens:,} response tokens"
    tau = weights.get("tau") or (weights.get("like") or {}).get("tau")
    if tau is None:
        return (
            f"{begin} (it counts {in_words(weights)}), so that nothing would be trained; change its weights, or take "
            "the variant out"
        )
    least = math.ceil(1000 * math.exp(-max(logprobs))) / 1000  # not below it, or it would mask it too
    return (
        f"{begin}: tau is {tau}, and the smallest perplexity of any is {least}; set tau to at least that, or take "
        "the variant out"
    )
