"""The rules that give tokens their weights, one model each: their settings, and which other variants they imitate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from clearminds.config.strict import Id, Positive, Strict
from clearminds.config.values import Number, Seed, Text


def _tau(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'tau is a quoted string, so that no reader rounds it: write tau: "{value}" in quotes')
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        raise ValueError(f'tau is a number in quotes, such as "2.5", not {value!r}; to keep every token, set rule: all')
    if float(value) < 1:
        raise ValueError(f"tau is a perplexity and so at least 1, not {value}")
    return value


def _tau_or_auto(value: object) -> object:
    return value if value == "auto" else _tau(value)


Tau = Annotated[str, BeforeValidator(_tau)]
Share = Annotated[Number, Field(gt=0, le=100)]
Class = Literal["numbers", "symbols", "words", "identifiers"]


class AllTokens(Strict):
    """Every response token counts."""

    rule: Literal["all"]


class TunedModel(Strict):
    """The model that is trained, with another variant's adapter of the same target."""

    variant: Id = Field(description="another one, which is trained first")
    seed: Seed | None = Field(None, description="of that adapter; null: the first of seeds")


Scorer = Annotated[Id | TunedModel, Field(description="a model of the study with the same tokenizer, or a variant")]


class Scored(Strict):
    """A rule that reads a model's scores of the tokens."""

    scorer: Scorer | None = Field(
        None, description="a model of the study with the same tokenizer, or a variant; null: the one that is trained"
    )


class PerplexityRule(Scored):
    """Tokens of perplexity at most tau count."""

    rule: Literal["perplexity"]
    tau: Annotated[str, BeforeValidator(_tau_or_auto)] = Field(
        description='a perplexity in quotes, such as "2.5"; auto: from the scores, and not below 2.5'
    )


class BandRule(Scored):
    """Tokens of a perplexity between two thresholds count."""

    rule: Literal["band"]
    tau_low: Tau = Field(description="least perplexity of a token that counts, in quotes")
    tau_high: Tau = Field(description="most perplexity of one, in quotes")

    @model_validator(mode="after")
    def _has_a_width(self) -> BandRule:
        if float(self.tau_low) > float(self.tau_high):
            raise ValueError(f'tau_low: "{self.tau_low}" is above tau_high: "{self.tau_high}"; swap them')
        return self


class BudgetRule(Scored):
    """A share of the tokens counts, those of lowest loss."""

    rule: Literal["budget"]
    keep: Share | Literal["auto"] = Field(description="percent of the tokens; auto: from the scores")
    per: Literal["response", "set"] = Field("response", description="whether every response keeps this share, or all")


class RandomRule(Strict):
    """As many tokens masked as in another variant, drawn at random from each response."""

    rule: Literal["random"]
    like: Id = Field(description="the variant whose count is imitated")


class LowestRule(Scored):
    """As many tokens masked as in another variant, the most predictable ones of each response."""

    rule: Literal["lowest"]
    like: Id = Field(description="the variant whose count is imitated")


class RankRule(Scored):
    """Tokens among the model's first choices count."""

    rule: Literal["rank"]
    top: Positive = Field(description="how many choices; 1: only tokens that greedy decoding would have chosen")


class SoftRule(Scored):
    """Every token counts exp(-loss / temperature)."""

    rule: Literal["soft"]
    temperature: Annotated[Number, Field(gt=0)] | Literal["median"] = Field(
        description="nats; median: the median loss of the responses' tokens"
    )


class EntropyRule(Scored):
    """Tokens at places of a certain entropy count."""

    rule: Literal["entropy"]
    at_least: Number | None = Field(None, ge=0, description="nats")
    at_most: Number | None = Field(None, ge=0, description="nats")

    @model_validator(mode="after")
    def _has_a_limit(self) -> EntropyRule:
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least or at_most is missing; give one of them or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least: {self.at_least} is above at_most: {self.at_most}; swap them")
        return self


class InfoRule(Scored):
    """Tokens of medium confidence count most."""

    rule: Literal["info"]
    c: Number = Field(description="the higher, the more a token counts that the base is sure of")


class ClassRule(Strict):
    """Tokens of certain classes are masked, whatever their perplexity."""

    rule: Literal["class"]
    mask: Annotated[list[Class], Field(min_length=1)] = Field(description="the classes that are masked (docs/rules.md)")


class ExpressionRule(Scored):
    """A formula over the columns of a token's scores."""

    rule: Literal["expression"]
    formula: Text = Field(description='such as "where(entropy < 1.5, 1, exp(logprob))"')


class ExcessRule(Scored):
    """A share of the tokens counts, those whose loss is most above that of another model."""

    rule: Literal["excess"]
    keep: Share = Field(description="percent of the tokens")
    per: Literal["response", "set"] = Field("response", description="whether every response keeps this share, or all")
    reference: Scorer = Field(description="the model whose loss is subtracted: of the study, or a variant's")


class DpfRule(Scored):
    """Tokens count whose loss another variant's training lowered."""

    rule: Literal["dpf"]
    reference: Scorer = Field(description="the tuned model: a variant's, or a model of the study")
    delta: Number = Field(0.0, ge=0, description="nats by which the loss must have fallen; more than that")


class CombineRule(Scored):
    """Several rules as one; those of them without a scorer have its scorer."""

    rule: Literal["combine"]
    how: Literal["and", "or", "product"] = Field(description="kept by all, kept by any, or the product of the weights")
    of: list[Weights] = Field(description="the rules, two or more")

    @field_validator("of")
    @classmethod
    def _are_several(cls, of: list[Weights]) -> list[Weights]:
        if len(of) < 2:
            raise ValueError(f"two rules or more are combined, not {len(of)}; add one, or take the one without combine")
        return of


Weights = Annotated[
    AllTokens
    | PerplexityRule
    | BandRule
    | BudgetRule
    | RandomRule
    | LowestRule
    | RankRule
    | SoftRule
    | EntropyRule
    | InfoRule
    | ClassRule
    | ExpressionRule
    | ExcessRule
    | DpfRule
    | CombineRule,
    Field(discriminator="rule"),
]
CombineRule.model_rebuild()
IMITATING = (RandomRule, LowestRule)
# by name
RULES: dict[str, type[Strict]] = {
    get_args(rule.model_fields["rule"].annotation)[0]: rule for rule in get_args(get_args(Weights)[0])
}


def rules_of(weights: Weights) -> Iterator[Weights]:
    """A rule and all that it holds; not those of the variants that it imitates."""
    yield weights
    if isinstance(weights, CombineRule):
        for rule in weights.of:
            yield from rules_of(rule)


def imitated(weights: Weights) -> list[str]:
    """The variants that a rule imitates itself, or one that it holds."""
    return [rule.like for rule in rules_of(weights) if isinstance(rule, IMITATING)]


def scorers_of(weights: Weights) -> list[str | TunedModel]:
    """Whose scores a rule, or one that it holds, asks for by name."""
    found = (getattr(rule, key, None) for rule in rules_of(weights) for key in ("scorer", "reference"))
    return [scorer for scorer in found if scorer is not None]


def models_of(weights: Weights) -> list[str]:
    """The models among `scorers_of`."""
    return [scorer for scorer in scorers_of(weights) if isinstance(scorer, str)]


def tuned_of(weights: Weights) -> list[TunedModel]:
    """The variants' models among `scorers_of`."""
    return [scorer for scorer in scorers_of(weights) if isinstance(scorer, TunedModel)]


def circle(path: list[str], variants: Mapping[str, Weights]) -> list[str] | None:
    """Variants that wait for each other in a circle, from the last of `path` on; None: there is no circle.

    Args:
        path: ids, of which each imitates the next, or has its tokens scored by it.
        variants: the rules of all variants.
    """
    rule = variants[path[-1]]
    for name in [*imitated(rule), *(scorer.variant for scorer in tuned_of(rule))]:
        if name in path:
            return [*path, name]
        if name in variants and (found := circle([*path, name], variants)):
            return found
    return None


def draws(weights: Weights) -> bool:
    """Whether a rule draws at random, so that each seed has masks of its own."""
    return any(isinstance(rule, RandomRule) for rule in rules_of(weights))


def resolved(weights: Weights, variants: Mapping[str, Weights], tuned: Callable[[TunedModel], str]) -> dict[str, Any]:
    """A rule as the stage reads it: without keys that are null, and with the rules of the variants that it imitates.

    Args:
        weights: the rule.
        variants: the rules of all variants.
        tuned: what a variant's model is called as a scorer.
    """
    found = weights.model_dump(exclude_none=True)
    for key in ("scorer", "reference"):
        if isinstance(scorer := getattr(weights, key, None), TunedModel):
            found[key] = tuned(scorer)
    if isinstance(weights, CombineRule):
        found["of"] = [resolved(rule, variants, tuned) for rule in weights.of]
    if isinstance(weights, IMITATING):
        found["like"] = resolved(variants[weights.like], variants, tuned)
    return found
