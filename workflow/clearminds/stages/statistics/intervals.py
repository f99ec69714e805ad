"""Intervals and p-values over items and seeds. Draws nothing at random.

Items and seeds are crossed: every seed answers every item. A mean over n items and R seeds has the variance of both:

    V_items   sum over tasks of the variance over items of the influences' means over seeds, by the number of items
    V_seeds   variance over seeds of the seeds' numbers, by R; of a study of many variants pooled as `pooled.py` says
    V_noise   item-by-seed noise, which is in both of them and counts once (two-way analysis of variance)

V_seeds has R - 1 degrees of freedom, 2 for three seeds, so that one quantile for both will not do: Satterthwaite's
estimate of common degrees of freedom fails just when the seeds happen to agree. The half-width takes a quantile for
each ("recovery of variance estimates", MOVER: Zou and Donner, Statistics in Medicine 27 (2008) 1693):

    h(p)^2 = t(1 - p/2; items)^2 (V_items - c i V_noise) + t(1 - p/2; seeds)^2 max(0, V_seeds - SHARE c (1 - i) V_noise)

Which of the two the noise is taken from is this project's choice: i = V_noise / V_items is the share of the items'
variance that is noise. Where all of it is (i = 1), V_seeds alone has the whole variance, and t of its freedom is exact.

c = min(1, (p / 5 %)^2) leaves the noise in both, and so counts it twice, where p is small: seeds may agree by chance,
and then max(0, ...) leaves nothing of them. One study in fifty does not matter to an interval of 95 %; among 300
comparisons, where p must be below 0.02 %, it would be most of what is called shown.

A p-value is the p at which h(p) reaches the estimate. With one seed nothing is known of other seeds: the interval is
over items only, and says so. `benchmarks/coverage.py` measures what these cover.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from clearminds.stages.statistics.effects import Effect
from clearminds.stages.statistics.pooled import Prior

LEVEL = 0.95
SHARE = 0.75  # of V_noise; with all of it intervals of three seeds cover 93 % at worst, with half they are wide
MOST = 0.9  # of i, so that seeds which happen to agree give no interval without width
SAME = 1e-9  # percent: less is what rounding leaves of equal numbers
BOTH, ITEMS = "items and seeds", "items only, this seed"


@dataclass(frozen=True)
class Spread:
    """The variances of an estimate and their degrees of freedom: V_items, V_seeds and V_noise above."""

    items: float
    items_free: float
    seeds: float
    seeds_free: float
    noise: float = 0.0

    def half_width(self, p: float) -> float:
        """Half the width of the interval of level 1 - p."""
        items, seeds = self._parts(p)
        over_seeds = seeds * _quantile(p, self.seeds_free) ** 2 if seeds else 0.0
        return math.sqrt(items * _quantile(p, self.items_free) ** 2 + over_seeds)

    def error(self, p: float = 1 - LEVEL) -> float:
        """The standard error, with as much of the noise as an interval of level 1 - p has."""
        return math.sqrt(sum(self._parts(p)))

    def _parts(self, p: float) -> tuple[float, float]:
        """What is left of V_items and V_seeds without the noise."""
        taken = min(1.0, (p / (1 - LEVEL)) ** 2)
        share = min(MOST, self.noise / self.items) if self.items else 0.0
        items = self.items - taken * share * min(self.noise, self.items)
        return items, max(0.0, self.seeds - taken * SHARE * (1 - share) * self.noise)


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval.

    Attributes:
        estimate: mean over seeds.
        low, high: limits of the interval; None where there are too few items for any.
        over: `BOTH`, or `ITEMS` where there is one seed.
        p: two-sided, against 0; None where there are too few items.
        spread: the variances that it comes from; likewise.
    """

    estimate: float
    low: float | None
    high: float | None
    over: str
    p: float | None
    spread: Spread | None = None


def interval(effect: Effect, prior: Prior | None = None) -> Interval:
    """The interval and p-value of an effect. Args: prior: what the study's other variants tell of seeds."""
    estimate = float(effect.values.mean())
    over = ITEMS if len(effect.values) == 1 else BOTH
    if min(effect.free) < 1:
        return Interval(estimate, None, None, over, None)
    found = spread(effect, prior)
    half = found.half_width(1 - LEVEL)
    return Interval(
        estimate,
        estimate - half,
        estimate + half,
        over,
        _p_value(abs(estimate), found),
        found,
    )


def spread(effect: Effect, prior: Prior | None = None) -> Spread:
    """The variance of an effect's mean over seeds, by items and by seeds. Args: prior: as of `interval`."""
    seeds = len(effect.values)
    items, weighted, noise = 0.0, 0.0, 0.0
    for block, free, step in zip(effect.influences, effect.free, effect.steps, strict=True):
        n = block.shape[1]
        mean = block.mean(axis=0)
        # where no item changed, as if one had: none of n seen tells of few, not of none
        one = max(float((mean**2).sum()), step**2 if not block.any() else 0.0) / (free * n)
        items += one
        weighted += one**2 / free
        if seeds > 1:
            noise += float(((block - mean) ** 2).sum()) / (free * (seeds - 1)) / (n * seeds)
    free_items = items**2 / weighted if weighted else float(sum(effect.free))  # Welch's, over tasks
    of_a_seed, free_seeds = (float(effect.values.var(ddof=1)), float(seeds - 1)) if seeds > 1 else (0.0, 0.0)
    if prior and seeds > 1:
        of_a_seed, free_seeds = prior.with_own(of_a_seed, free_seeds)
    return Spread(items, free_items, of_a_seed / seeds, free_seeds, noise)


def _quantile(p: float, free: float) -> float:
    return float(stdtrit(free, 1 - p / 2))


def _p_value(distance: float, found: Spread) -> float:
    """The p at which half the interval's width is the distance."""
    if not found.items + found.seeds:
        return 1.0 if distance < SAME else 0.0
    if not found.seeds + found.noise:
        return float(2 * stdtr(found.items_free, -distance / found.error()))
    low, high = 0.0, 1.0
    for _ in range(60):  # halves the bracket; the width falls as p rises
        middle = (low + high) / 2
        low, high = (middle, high) if found.half_width(middle) > distance else (low, middle)
    return (low + high) / 2
