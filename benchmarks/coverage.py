"""How often intervals hold the truth: simulated studies whose BWT is known, through the functions of the workflow.

    PYTHONPATH=workflow .venv/bin/python benchmarks/coverage.py [--studies 1000] [--only TEXT]

1. Coverage of nominal 95 %, and the width in points; beside it two methods that were not chosen: items only, and the
   sum of both variances with Satterthwaite's degrees of freedom.
2. The size of tests: how often p is below 5 % where nothing differs.
3. The same far below 5 %, where Holm's method looks among many comparisons: BWT of every pair of a study's variants.
   How often p is below 5 % / comparisons, as a multiple of that; the goal is 1 or less.
4. Power: the median of what studies in which nothing differs call detectable, alone and among 20 comparisons, and how
   often that is found where it is the true difference; the goal is 80 %.

Draws depend on the row's name alone, so that equal numbers of studies give equal tables.
"""

import argparse
import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit
from simulated_studies import RATES, SCORE, Row, pair, study, variants_of

from clearminds.files.digests import digest
from clearminds.stages.statistics.effects import Effect
from clearminds.stages.statistics.groups import BWT, TI
from clearminds.stages.statistics.intervals import interval, spread
from clearminds.stages.statistics.told import told

GOAL = (0.93, 0.97)
TABLES = ["coverage", "size", "many", "power"]


ROWS = [
    *(Row(4, 48, 1), Row(4, 48, 3), Row(4, 48, 3, 0.3), Row(4, 200, 3, 0.3), Row(4, 200, 5, 0.3), Row(2, 1000, 3, 0.3)),
    *(Row(4, 48, 3, 0.3, True), Row(4, 200, 3, 0.1, True), Row(4, 200, 3, 0.3, True), Row(4, 200, 5, 0.3, True)),
    *(Row(2, 1000, 3, 0.3, True), Row(4, 200, 3), Row(4, 200, 3, 0.1), Row(4, 1000, 3, 0.05, True)),
    *(Row(4, 200, 2), Row(4, 200, 2, 0.1, True), Row(4, 1000, 2, 0.1, True)),
    *(Row(4, 48, 1, scores=near) for near in ("near 0", "near 1")),
    *(Row(4, 200, 1, scores=near) for near in ("near 0", "near 1")),
    *(Row(4, 200, 3, sd, scores=near) for near in ("near 0", "near 1") for sd in (0.1, 0.3)),
    *(Row(4, 48, 3, sd, scores=near) for near in ("near 0", "near 1") for sd in (0.0, 0.3)),
    *(Row(4, 16, 1, scores="likelihood"), Row(4, 48, 3, scores="likelihood"), Row(4, 48, 3, 0.1, scores="likelihood")),
    *(Row(4, 200, 3, 0.1, True, "likelihood"), Row(4, 200, 5, 0.1, scores="likelihood")),
    *(Row(4, 48, 1, difference=True), Row(4, 48, 3, difference=True), Row(4, 200, 3, 0.1, difference=True)),
    *(Row(4, 200, 3, 0.3, True, difference=True), Row(4, 200, 5, 0.3, difference=True)),
    *(Row(1, 96, 1, target=True), Row(1, 96, 1, scores="near 0", target=True), Row(1, 400, 1, target=True)),
    *(Row(1, 96, 3, 0.1, target=True), Row(1, 96, 3, 0.1, difference=True, target=True)),
]
NULLS = [(1, 48, 0.0), (1, 200, 0.0), (1, 1000, 0.0), (3, 48, 0.0), (3, 200, 0.0), (3, 200, 0.3), (5, 200, 0.0)]
NULLS += [(3, 1000, 0.1), (5, 200, 0.3)]
CLAIMS = BWT, TI, SCORE
OF_MANY = f"{BWT}, one of 12 variants"
POWERS = [(SCORE, 1, 200, 0.0), (BWT, 3, 200, 0.1), (BWT, 5, 200, 0.3), (OF_MANY, 3, 200, 0.1), (OF_MANY, 3, 200, 0.3)]
MANY = 20  # comparisons
# variants, seeds, items, sd, by how much sd differs between variants (standard deviation of its logarithm)
STUDIES = [(2, 3, 200, 0.0, 0.0), (2, 3, 200, 0.1, 0.0), (2, 3, 200, 0.3, 0.0), (2, 2, 200, 0.1, 0.0)]
STUDIES += [(12, 3, 200, 0.0, 0.0), (12, 3, 200, 0.1, 0.0), (12, 3, 200, 0.3, 0.0), (12, 3, 200, 0.1, 0.5)]
STUDIES += [(12, 3, 200, 0.3, 0.5), (6, 3, 200, 0.1, 0.5), (12, 2, 200, 0.1, 0.5), (12, 5, 200, 0.1, 0.5)]
FAMILIES = (1, 20, 300)  # comparisons


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="a row")
    parser.add_argument("--only", default="", help="rows whose name has this text")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES, help="which; default: all")
    given = parser.parse_args()
    if "coverage" in given.tables:
        print_coverage(given.only, given.studies)
    if "size" in given.tables:
        print("\n| seeds, items, sd | size of the test of BWT | of TI | of one task's score | test of those two |")
        print("|---|---|---|---|---|")
        for null in NULLS:
            if given.only in ", ".join(map("{:g}".format, null)):
                print(sizes(*null, given.studies), flush=True)
    if "many" in given.tables:
        print("\n| variants, seeds, items, sd, its own | comparisons |" + "".join(f" 5 % / {n} |" for n in FAMILIES))
        print("|---|---|" + "---|" * len(FAMILIES))
        for kind in STUDIES:
            if given.only in ", ".join(map("{:g}".format, kind)):
                print(sizes_of_many(*kind, given.studies), flush=True)
    if "power" in given.tables:
        print(f"\n| claim; seeds, items, sd | detectable | found | among {MANY} comparisons | found |")
        print("|---|---|---|---|---|")
        for kind in POWERS:
            print(powers(*kind, given.studies), flush=True)


def print_coverage(only: str, studies: int) -> None:
    """The first table. Args: only: rows whose name has this text; studies: in each."""
    print("| tasks x items, seeds, sd | undefined | items only | Satterthwaite | chosen | 93 to 97 % |")
    print("|---|---|---|---|---|---|")
    for row in ROWS:
        if only in str(row):
            print(covered(row, studies), flush=True)


def covered(row: Row, studies: int) -> str:
    """A line of the first table."""
    rng = np.random.default_rng(int(digest(str(row))[:12], 16))
    found, undefined = [], 0
    for _ in range(studies):
        effect, truth = study(row, rng)
        if effect is None:
            undefined += 1
            continue
        found.append([(abs(centre - truth) <= half, 2 * half) for centre, half in _half_widths(effect)])
    hits, widths = np.moveaxis(np.array(found, dtype=float), 2, 0)
    cells = [f"{hit:.3f} ({width:.0f})" for hit, width in zip(hits.mean(0), np.median(widths, 0), strict=True)]
    cells[1] = cells[1] if row.seeds > 1 else "-"
    share = hits.mean(0)[2]
    low, high = (2 * math.sqrt(goal * (1 - goal) / len(found)) for goal in GOAL)  # two standard errors at the goal
    near = GOAL[0] - low <= share <= GOAL[1] + high
    inside = "yes" if GOAL[0] <= share <= GOAL[1] else "within chance" if near else "no"
    return f"| {row} | {undefined / studies:.1%} | {' | '.join(cells)} | {inside} |"


def _half_widths(effect: Effect) -> Iterator[tuple[float, float]]:
    """Centre and half-width by each method, the chosen one last."""
    seeds, centre = len(effect.values), float(effect.values.mean())
    found = spread(_of_one_seed(effect))
    yield centre, float(stdtrit(found.items_free, 0.975)) * math.sqrt(found.items)
    over_seeds = float(effect.values.var(ddof=1)) / seeds if seeds > 1 else 0.0
    whole = found.items + over_seeds
    free = whole**2 / (found.items**2 / found.items_free + (over_seeds**2 / (seeds - 1) if seeds > 1 else 0))
    yield centre, float(stdtrit(free, 0.975)) * math.sqrt(whole)
    chosen = interval(effect)
    yield centre, (chosen.high - chosen.low) / 2 if chosen.high is not None and chosen.low is not None else math.nan


def _of_one_seed(effect: Effect) -> Effect:
    """The mean over seeds as if it were one seed's."""
    blocks = tuple(block.mean(axis=0, keepdims=True) for block in effect.influences)
    return Effect(effect.values.mean(keepdims=True), blocks, effect.free, effect.steps)


def sizes(seeds: int, items: int, sd: float, studies: int) -> str:
    """A line of the second table: two variants of equal ability, compared by each of `CLAIMS`."""
    rng = np.random.default_rng(int(digest(f"null {Row(4, items, seeds, sd)}")[:12], 16))
    equal = ndtri(RATES["middle"])
    drawn = [pair(seeds, items, sd, equal, rng) for _ in range(studies)]
    below = [np.mean([(told(*pair[claim])["p"] or 0) < 0.05 for pair in drawn]) for claim in CLAIMS]
    test = "McNemar" if seeds == 1 else "interval"
    return f"| {seeds}, {items}, {sd:g} | {' | '.join(f'{share:.3f}' for share in below)} | {test} |"


def sizes_of_many(variants: int, seeds: int, items: int, sd: float, uneven: float, studies: int) -> str:
    """A line of the third table: how often p is below 5 % / comparisons, as a multiple. Args: as in `STUDIES`."""
    rng = np.random.default_rng(int(digest(f"many {(variants, seeds, items, sd, uneven)}")[:12], 16))
    found: list[float] = []
    while len(found) < 66 * studies:
        sds = sd * np.exp(uneven * rng.standard_normal(variants))
        group = variants_of([ndtri(RATES["middle"])] * variants, seeds, items, sds, rng)
        prior = group.prior(BWT, between=True)
        effects = [group.transfer(name, range(seeds), group.others) for name in group.variants]
        found += [interval(one - other, prior).p for one, other in combinations(effects, 2)]
    times = [np.mean(np.array(found) < 0.05 / n) * n / 0.05 for n in FAMILIES]
    name = ", ".join(map("{:g}".format, (variants, seeds, items, sd, uneven)))
    return f"| {name} | {len(found):,} | {' | '.join(f'{one:.2f}' for one in times)} |"


def _first_two(variants: int, seeds: int, items: int, sd: float, other: np.ndarray, rng: np.random.Generator) -> dict:
    """What is told of BWT of two variants of a study. Args: other: the second one's ability on each task."""
    abilities = [ndtri(RATES["middle"]), other, *[ndtri(RATES["middle"])] * (variants - 2)]
    group = variants_of(abilities, seeds, items, np.full(variants, sd), rng)
    one, another = (group.transfer(name, range(seeds), group.others) for name in ("0", "1"))
    return told(one - another, None, group.prior(BWT, between=True))


def powers(claim: str, seeds: int, items: int, sd: float, studies: int) -> str:
    """A line of the last table. Args: claim: of `CLAIMS`, or `OF_MANY`."""
    rng = np.random.default_rng(int(digest(f"power {claim} {Row(4, items, seeds, sd)}")[:12], 16))
    rates, spread_out = np.array(RATES["middle"]), math.sqrt(1 + sd**2)
    equal = ndtri(rates)

    def drawn(other: np.ndarray) -> list[dict]:
        if claim == OF_MANY:
            return [_first_two(12, seeds, items, sd, other, rng) for _ in range(studies)]
        return [told(*pair(seeds, items, sd, other, rng)[claim]) for _ in range(studies)]

    nulls = drawn(equal)
    cells = []
    for comparisons in (1, MANY):
        claimed = float(np.median([null["detectable_of"](comparisons) for null in nulls]))
        # true scores are means over seeds; of the base's where the claim is relative
        lower = ndtr(equal / spread_out) - claimed / 100 * (1 if claim == SCORE else rates)
        told_of = drawn(ndtri(lower) * spread_out)
        found = np.mean([one["p"] < 0.05 / comparisons and one["difference"] > 0 for one in told_of])
        cells += [f"{claimed:.1f}", f"{found:.3f}"]
    return f"| {claim}; {seeds}, {items}, {sd:g} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
