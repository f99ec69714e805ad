"""What is claimed of variants: a score, a relative change, TI, BWT, or the difference of two such, per seed and item.

All are linear in scores once those of the base are divided out, so that influences of items follow by the chain rule:
of 100 * (S / S_base - 1) it is 100 / S_base * (influence on S - S / S_base * influence on S_base).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clearminds.stages.statistics.measured import Measured, Numbers

PERCENT = 100.0


@dataclass(frozen=True)
class Effect:
    """A number of each seed, and what the items of each task add to it.

    Attributes:
        values: one per seed.
        influences: a block [seeds x items] per task, or per subtask of it.
        free: degrees of freedom of each block's variance over items.
        steps: of each block, the influence of one item whose value goes from 0 to 1.
    """

    values: Numbers
    influences: tuple[Numbers, ...]
    free: tuple[int, ...]
    steps: tuple[float, ...]

    def __sub__(self, other: Effect) -> Effect:
        """The difference of two effects on the same seeds, tasks and items: seed by seed and item by item."""
        pairs = zip(self.influences, other.influences, strict=True)
        return Effect(
            self.values - other.values,
            tuple(one - another for one, another in pairs),
            self.free,
            tuple(max(steps) for steps in zip(self.steps, other.steps, strict=True)),
        )


def score_effect(runs: Sequence[Measured]) -> Effect:
    """100 * score on one task, in points. Args: one run per seed."""
    blocks = PERCENT * np.stack([run.influence for run in runs])
    return Effect(
        PERCENT * np.array([run.score for run in runs]),
        runs[0].split(blocks),
        runs[0].free,
        tuple(PERCENT * step for step in runs[0].steps),
    )


def change_effect(runs: Sequence[Measured], base: Measured) -> Effect:
    """100 * (S / S_base - 1) on one task, in percent: TI where the task is the target.

    Args:
        runs: one per seed.
        base: of the same items; its score is not 0.
    """
    changes = np.array([run.score / base.score for run in runs])
    blocks = np.stack([run.influence - c * base.influence for run, c in zip(runs, changes, strict=True)])
    scale = PERCENT / base.score
    steps = tuple(scale * step for step in base.steps)
    return Effect(PERCENT * (changes - 1), base.split(scale * blocks), base.free, steps)


def mean_effect(effects: Sequence[Effect]) -> Effect:
    """The unweighted mean of effects on several tasks, which share seeds and no items: BWT is that of the changes."""
    k = len(effects)
    return Effect(
        sum((effect.values for effect in effects), start=np.zeros_like(effects[0].values)) / k,
        tuple(block / k for effect in effects for block in effect.influences),
        tuple(free for effect in effects for free in effect.free),
        tuple(step / k for effect in effects for step in effect.steps),
    )


def transfer_effect(runs: Mapping[str, Sequence[Measured]], base: Mapping[str, Measured]) -> Effect:
    """BWT in percent. Args: per other task one run per seed, and the base, whose scores are not 0."""
    return mean_effect([change_effect(runs[task], base[task]) for task in runs])
