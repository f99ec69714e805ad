"""Scores of items that are right or wrong, as the statistics take them."""

import numpy as np

from clearminds.stages.statistics.measured import mean_score


def answers(values, subtasks=None):
    values = np.asarray(values, float)
    names = np.asarray(subtasks if subtasks is not None else [""] * len(values))
    return mean_score(values, names, float(np.mean([values[names == name].mean() for name in np.unique(names)])))


def drawn(seed, seeds, n, rate=0.6, agree=0.8):
    """A base and runs of several seeds, right or wrong on the same items."""
    rng = np.random.default_rng(seed)
    base = (rng.random(n) < rate).astype(float)
    runs = [np.where(rng.random(n) < agree, base, rng.random(n) < rate) for _ in range(seeds)]
    return answers(base), [answers(run) for run in runs]
