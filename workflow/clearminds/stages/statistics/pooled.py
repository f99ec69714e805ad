"""How much seeds differ, told by all variants of a study: three seeds of one variant hardly tell.

With three seeds a variance has two degrees of freedom, and a test that knows no more needs a difference of 65 standard
errors among 300 comparisons. But a study trains many variants, whose variances over seeds are like each other. Genes on
a microarray pose the same problem, and "moderated" variances are its usual answer (Smyth, Statistical Applications in
Genetics and Molecular Biology 3 (2004) 3; `squeezeVar` of the R package limma): the variances of variants are taken for
draws from s0^2 d0 / chi^2(d0), whose d0 and s0^2 follow from the mean and variance of their logarithms; then a variance
s^2 of d degrees of freedom is replaced by

    (d0 s0^2 + d s^2) / (d0 + d),  with d0 + d degrees of freedom, but no more than all variances together have.

Ten variants do not tell d0 well, and too large a d0 finds differences where there are none. So the variance of the
logarithms is taken one standard error larger than it is seen: variances that look alike give a d0 of 3, not of
infinity. Fewer than `MEMBERS` variants are not pooled. `benchmarks/coverage.py` measures tests with this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

MEMBERS = 6
LEAST = 1e-5  # of the median variance: limma's, for seeds that happen to be equal
ALIKE = 1e8  # degrees of freedom; more are as good as infinite


@dataclass(frozen=True)
class Prior:
    """What other variants tell of a variance over seeds.

    Attributes:
        variance: s0^2, of one seed's number.
        free: d0.
        most: degrees of freedom of all of them together.
    """

    variance: float
    free: float
    most: float

    def with_own(self, variance: float, free: float) -> tuple[float, float]:
        """A variance over seeds and its degrees of freedom, after it is told of the others."""
        whole = self.free + free
        return (self.free * self.variance + free * variance) / whole, min(whole, self.most)


@dataclass(frozen=True)
class Pool:
    """A measure of all variants of one model and target.

    Attributes:
        values: variant -> seed -> number.
    """

    values: Mapping[str, Mapping[int, float]]

    def prior(self, between: bool) -> Prior | None:
        """What is known beforehand of the variance over seeds; None: too little.

        Args:
            between: of the difference of two variants; else of a variant's own number.
        """
        if between:
            pairs = combinations(self.values.values(), 2)
            found = [[one[seed] - other[seed] for seed in one if seed in other] for one, other in pairs]
        else:
            found = [list(one.values()) for one in self.values.values()]
        several = [one for one in found if len(one) > 1]
        # differences of n variants have no more to tell than n - 1 variances
        most, least = len(self.values) - between, MEMBERS - between
        return _prior(several, min(len(several), most)) if min(len(several), most) >= least else None


def _prior(numbers: list[list[float]], independent: int) -> Prior | None:
    """Fit s0^2 and d0. Args: each member's numbers; how many members are independent."""
    variances = np.array([np.var(one, ddof=1) for one in numbers])
    if not (middle := float(np.median(variances))):
        return None
    free = np.array([len(one) - 1.0 for one in numbers])
    logs = np.log(np.maximum(variances, LEAST * middle)) - digamma(free / 2) + np.log(free / 2)
    own = polygamma(1, free / 2)  # the variance of such a logarithm when d0 is infinite
    error = np.sqrt(np.mean(polygamma(3, free / 2) + 2 * own**2) / independent)
    d0 = 2 * _inverse_trigamma(max(0.0, float(logs.var(ddof=1) - own.mean())) + float(error))
    variance = np.exp(logs.mean() + digamma(d0 / 2) - np.log(d0 / 2))
    return Prior(float(variance), d0, float(free.mean()) * independent)


def _inverse_trigamma(value: float) -> float:
    """Where trigamma has a value above 0."""
    return float(brentq(lambda x: polygamma(1, x) - value, 1e-6, ALIKE)) if value > 1 / ALIKE else ALIKE
