"""How often intervals hold the truth: simulated studies whose BWT is known, through the functions of the workflow.

    PYTHONPATH=workflow .venv/bin/python benchmarks/coverage.py [--studies 1000] [--only TEXT]

Accuracies: an item has a difficulty, which base and variants share; whether a run has it right depends on that, on
noise of its own, and on how the seed turned out, a normal number of standard deviation `sd` on the probit scale, drawn
for each task or shared by all tasks. Likelihoods: an item has a number of tokens and nats per token.

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
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from clearminds.files.digests import digest
from clearminds.stages.statistics.effects import Effect, change_effect, score_effect, transfer_effect
from clearminds.stages.statistics.exact import flips
from clearminds.stages.statistics.groups import Group
from clearminds.stages.statistics.intervals import interval, spread
from clearminds.stages.statistics.measured import Measured, mean_score, token_score
from clearminds.stages.statistics.told import told

SHARED_NOISE = 0.7  # of an item's latent variance what is its difficulty; the rest is noise of a run
RATES = {"middle": (0.3, 0.45, 0.6, 0.75), "near 0": (0.05, 0.08, 0.1, 0.12), "near 1": (0.95, 0.93, 0.9, 0.88)}
LOSSES = (0.1, 0.3, 0.2, 0.0)  # of each task, on the probit scale
LEARNED = (-1.0,)  # of a target
NATS, LOSS = 1.2, 0.1  # per token of the base; their relative rise
GOAL = (0.93, 0.97)
TABLES = ["coverage", "size", "many", "power"]


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
CLAIMS = BWT, TI, SCORE = "BWT", "TI", "one task's score"
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
        effect, truth = _study(row, rng)
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


def _study(row: Row, rng: np.random.Generator) -> tuple[Effect | None, float]:
    """The effect of a study, None where a base score is 0, and its true value."""
    if row.scores == "likelihood":
        tasks = [_likelihoods(row, z, rng) for z in _seed_effects(row, rng)]
        return transfer_effect(*_by_task(tasks)), _true_likelihood(row.sd)
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
    one, *others = (transfer_effect(*_by_task(tasks)) for tasks in tasks_of)
    truths = [np.mean([_true_change(rate, loss[k], row.sd) for k, rate in enumerate(rates)]) for loss in losses]
    return (one - others[0], truths[0] - truths[1]) if others else (one, truths[0])


def _by_task(tasks: list[tuple[Measured, list[Measured]]]) -> tuple[dict, dict]:
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


def sizes(seeds: int, items: int, sd: float, studies: int) -> str:
    """A line of the second table: two variants of equal ability, compared by each of `CLAIMS`."""
    rng = np.random.default_rng(int(digest(f"null {Row(4, items, seeds, sd)}")[:12], 16))
    equal = ndtri(RATES["middle"])
    drawn = [_pair(seeds, items, sd, equal, rng) for _ in range(studies)]
    below = [np.mean([(told(*pair[claim])["p"] or 0) < 0.05 for pair in drawn]) for claim in CLAIMS]
    test = "McNemar" if seeds == 1 else "interval"
    return f"| {seeds}, {items}, {sd:g} | {' | '.join(f'{share:.3f}' for share in below)} | {test} |"


def sizes_of_many(variants: int, seeds: int, items: int, sd: float, uneven: float, studies: int) -> str:
    """A line of the third table: how often p is below 5 % / comparisons, as a multiple. Args: as in `STUDIES`."""
    rng = np.random.default_rng(int(digest(f"many {(variants, seeds, items, sd, uneven)}")[:12], 16))
    found: list[float] = []
    while len(found) < 66 * studies:
        sds = sd * np.exp(uneven * rng.standard_normal(variants))
        group = _variants([ndtri(RATES["middle"])] * variants, seeds, items, sds, rng)
        prior = group.prior(BWT, between=True)
        effects = [group.transfer(name, range(seeds), group.others) for name in group.variants]
        found += [interval(one - other, prior).p for one, other in combinations(effects, 2)]
    times = [np.mean(np.array(found) < 0.05 / n) * n / 0.05 for n in FAMILIES]
    name = ", ".join(map("{:g}".format, (variants, seeds, items, sd, uneven)))
    return f"| {name} | {len(found):,} | {' | '.join(f'{one:.2f}' for one in times)} |"


def _variants(abilities: list[np.ndarray], seeds: int, items: int, sds: np.ndarray, rng: np.random.Generator) -> Group:
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


def _first_two(variants: int, seeds: int, items: int, sd: float, other: np.ndarray, rng: np.random.Generator) -> dict:
    """What is told of BWT of two variants of a study. Args: other: the second one's ability on each task."""
    abilities = [ndtri(RATES["middle"]), other, *[ndtri(RATES["middle"])] * (variants - 2)]
    group = _variants(abilities, seeds, items, np.full(variants, sd), rng)
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
        return [told(*_pair(seeds, items, sd, other, rng)[claim]) for _ in range(studies)]

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


Compared = tuple[Effect, list[tuple[int, int]] | None]  # what `told` takes


def _pair(seeds: int, items: int, sd: float, other: np.ndarray, rng: np.random.Generator) -> dict[str, Compared]:
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
    transfers = [transfer_effect(*_by_task(own)) for own in tasks]
    return {
        BWT: (transfers[0] - transfers[1], None),
        TI: (change_effect(mine, base) - change_effect(others, base), counts),
        SCORE: (score_effect(mine) - score_effect(others), counts),
    }


if __name__ == "__main__":
    main()
