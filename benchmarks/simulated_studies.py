"""Simulated studies whose truth is known, for the claims of `coverage.py`.

Accuracies: an item has a difficulty, which base and variants share; whether a run has it right depends on that, on
noise of its own, and on how the seed turned out, a normal number of standard deviation `sd` on the probit scale, drawn
for each task or shared by all tasks. Likelihoods: an item has a number of tokens and nats per token.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from clearminds.stages.statistics.effects import Effect, change_effect, score_effect, transfer_effect
from clearminds.stages.statistics.exact import flips
from clearminds.stages.statistics.groups import BWT, TI, Group
from clearminds.stages.statistics.measured import Measured, mean_score, token_score

SHARED_NOISE = 0.7  # of an item's latent variance what is its difficulty; the rest is noise of a run
RATES = {"middle": (0.3, 0.45, 0.6, 0.75), "near 0": (0.05, 0.08, 0.1, 0.12), "near 1": (0.95, 0.93, 0.9, 0.88)}
LOSSES = (0.1, 0.3, 0.2, 0.0)  # of each task, on the probit scale
LEARNED = (-1.0,)  # of a target
NATS, LOSS = 1.2, 0.1  # per token of the base; their relative rise
SCORE = "one task's score"  # a claim, as TI and BWT are

Compared = tuple[Effect, list[tuple[int, int]] | None]  # what `told` takes


@dataclass(frozen=True)
class Row:
    """One kind of study.

    Attributes:
        tasks, items, seeds: how many there are.
        sd: of a seed's effect.
        shared: whether a seed has the same effect on all tasks.
        scores: of the base, by `RATES`; or "likelihood".
        difference: between two variants with effects of their own, the second one of no loss.
        target: one task, which was learned: TI.
    """

    tasks: int
    items: int
    seeds: int
    sd: float = 0.0
    shared: bool = False
    scores: str = "middle"
    difference: bool = False
    target: bool = False

    def __str__(self) -> str:
        seeds = f"{self.seeds} seed{'s' if self.seeds > 1 else ''}"
        words = [
            f"{'TI, ' if self.target else ''}{self.tasks} x {self.items}, {seeds}, sd {self.sd:g}",
            "shared by tasks" if self.shared else "",
        ]
        words += ["" if self.scores == "middle" else f"base {self.scores}" if self.scores in RATES else self.scores]
        return ", ".join(filter(None, [*words, "two variants" if self.difference else ""]))


def study(row: Row, rng: np.random.Generator) -> tuple[Effect | None, float]:
    """The effect of a study, None where a base score is 0, and its true value."""
    if row.scores == "likelihood":
        tasks = [_likelihoods(row, z, rng) for z in _seed_effects(row, rng)]
        return transfer_effect(*by_task(tasks)), _true_likelihood(row.sd)
    rates = RATES[row.scores][: row.tasks]
    losses = [LEARNED if row.target else LOSSES[: row.tasks], (0.0,) * row.tasks][: 1 + row.difference]
    effects = [_seed_effects(row, rng) for _ in losses]
    tasks_of: list[list[tuple[Measured, list[Measured]]]] = [[] for _ in losses]
    for k, rate in enumerate(rates):
        difficulty = rng.standard_normal(row.items) * math.sqrt(SHARED_NOISE)
        base = _answers(difficulty, ndtri(rate), rng)
        for loss, z, tasks in zip(losses, effects, tasks_of, strict=True):
            tasks.append((base, [_answers(difficulty, ndtri(rate) - loss[k] + one, rng) for one in z[k]]))
    if not all(base.score for base, _ in tasks_of[0]):
        return None, math.nan
    one, *others = (transfer_effect(*by_task(tasks)) for tasks in tasks_of)
    truths = [np.mean([_true_change(rate, loss[k], row.sd) for k, rate in enumerate(rates)]) for loss in losses]
    return (one - others[0], truths[0] - truths[1]) if others else (one, truths[0])


def pair(seeds: int, items: int, sd: float, other: np.ndarray, rng: np.random.Generator) -> dict[str, Compared]:
    """The differences of two variants, by `CLAIMS`. Args: other: the second one's ability on each task."""
    row = Row(4, items, seeds, sd)
    tasks: list[list[tuple[Measured, list[Measured]]]] = [[], []]
    effects = [_seed_effects(row, rng) for _ in tasks]
    for k, rate in enumerate(RATES["middle"]):
        difficulty = rng.standard_normal(items) * math.sqrt(SHARED_NOISE)
        base = _answers(difficulty, ndtri(rate), rng)
        for own, z, ability in zip(tasks, effects, (ndtri(rate), other[k]), strict=True):
            own.append((base, [_answers(difficulty, ability + one, rng) for one in z[k]]))
    (base, mine), (_, others) = (own[1] for own in tasks)
    counts = [flips(before.right, after.right) for before, after in zip(others, mine, strict=True)]
    transfers = [transfer_effect(*by_task(own)) for own in tasks]
    return {
        BWT: (transfers[0] - transfers[1], None),
        TI: (change_effect(mine, base) - change_effect(others, base), counts),
        SCORE: (score_effect(mine) - score_effect(others), counts),
    }


def variants_of(
    abilities: list[np.ndarray], seeds: int, items: int, sds: np.ndarray, rng: np.random.Generator
) -> Group:
    """A study of several variants.

    Args:
        abilities: of each variant, on each task.
        sds: of each variant's seeds, on the probit scale.
    """
    base, runs = {}, {str(n): {seed: {} for seed in range(seeds)} for n in range(len(abilities))}
    for k, rate in enumerate(RATES["middle"]):
        difficulty = rng.standard_normal(items) * math.sqrt(SHARED_NOISE)
        base[str(k)] = _answers(difficulty, ndtri(rate), rng)
        for of_seeds, sd, ability in zip(runs.values(), sds, abilities, strict=True):
            for found in of_seeds.values():
                found[str(k)] = _answers(difficulty, ability[k] + sd * rng.standard_normal(), rng)
    return Group("model", "target", dict.fromkeys(base, "ood"), base, runs)


def by_task(tasks: list[tuple[Measured, list[Measured]]]) -> tuple[dict, dict]:
    return {str(k): runs for k, (_, runs) in enumerate(tasks)}, {str(k): base for k, (base, _) in enumerate(tasks)}


def _seed_effects(row: Row, rng: np.random.Generator) -> np.ndarray:
    """Of each task and seed."""
    drawn = rng.standard_normal((1 if row.shared else row.tasks, row.seeds))
    return row.sd * np.broadcast_to(drawn, (row.tasks, row.seeds))


def _answers(difficulty: np.ndarray, ability: float, rng: np.random.Generator) -> Measured:
    noise = rng.standard_normal(len(difficulty)) * math.sqrt(1 - SHARED_NOISE)
    values = (difficulty + noise < ability).astype(float)
    return mean_score(values, np.zeros(len(values)), float(values.mean()))


def _true_change(rate: float, loss: float, sd: float) -> float:
    return 100 * (float(ndtr((ndtri(rate) - loss) / math.sqrt(1 + sd**2))) / rate - 1)


def _likelihoods(row: Row, z: np.ndarray, rng: np.random.Generator) -> tuple[Measured, list[Measured]]:
    tokens = 5.0 + rng.poisson(rng.gamma(2, 20, row.items))
    rates = rng.gamma(4, NATS / 4, row.items)
    noise = [1 + 0.1 * rng.standard_normal(row.items) for _ in z]
    runs = [tokens * rates * math.exp(LOSS + one) * own for one, own in zip(z, noise, strict=True)]
    base, *after = (token_score(nats, tokens, math.exp(-nats.sum() / tokens.sum())) for nats in (tokens * rates, *runs))
    return base, after


def _true_likelihood(sd: float) -> float:
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    changes = 100 * (np.exp(NATS * (1 - np.exp(LOSS + sd * points))) - 1)
    return float(weights @ changes / weights.sum())
