"""All runs of one model and target, as the statistics see them, and the effects that are claimed of a variant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from clearminds.stages.statistics.effects import Effect, change_effect, score_effect, transfer_effect
from clearminds.stages.statistics.exact import flips
from clearminds.stages.statistics.measured import Measured
from clearminds.stages.statistics.pooled import Pool, Prior
from clearminds.stages.statistics.told import Tested

TI, BWT = "TI", "BWT"
POINTS, OF_BASE = "points", "% of base"


@dataclass(frozen=True)
class Group:
    """The base and every variant of one model and target.

    Attributes:
        model, target: their names.
        roles: task -> target, ood, likelihood or drift, in the order of rows.
        base: task -> the base's result.
        variants: variant -> seed -> task -> result; the same items as the base's.
    """

    model: str
    target: str
    roles: Mapping[str, str]
    base: Mapping[str, Measured]
    variants: Mapping[str, Mapping[int, Mapping[str, Measured]]]

    @property
    def tested(self) -> str | None:
        """The task that TI is of."""
        return next((task for task, role in self.roles.items() if role == "target"), None)

    @property
    def others(self) -> list[str]:
        """The tasks that BWT is of."""
        return [task for task, role in self.roles.items() if role == "ood"]

    @property
    def left_out(self) -> list[str]:
        """Those of them on which the base scores 0, so that no relative change exists."""
        return [task for task in self.others if not self.base[task].score]

    @property
    def remaining(self) -> list[str]:
        """The others of them."""
        return [task for task in self.others if self.base[task].score]

    @property
    def rest_name(self) -> str:
        """What the BWT over the others of them is called; with none left out it is the BWT."""
        return f"{BWT} without {', '.join(self.left_out)}" if self.left_out else BWT

    def improvement(self, variant: str, seeds: Sequence[int]) -> Effect | None:
        """TI of a variant over some of its seeds; None: it is undefined."""
        task = self.tested
        if task is None or not self.base[task].score:
            return None
        return change_effect(self.runs(variant, seeds, task), self.base[task])

    def transfer(self, variant: str, seeds: Sequence[int], tasks: Sequence[str]) -> Effect | None:
        """BWT of a variant over some of its seeds and tasks; None: there are no tasks, or a base score is 0."""
        if not tasks or not all(self.base[task].score for task in tasks):
            return None
        return transfer_effect({task: self.runs(variant, seeds, task) for task in tasks}, self.base)

    def on_task(self, variant: str | None, seeds: Sequence[int], task: str) -> Effect:
        """The score of a variant (None: of the base) on a task, in `unit(task)`."""
        runs = self.runs(variant, seeds, task)
        return score_effect(runs) if self.unit(task) == POINTS else change_effect(runs, self.base[task])

    def unit(self, task: str) -> str:
        """What differences on a task are in: points of accuracy; percent where a score has no natural scale."""
        return OF_BASE if self.roles[task] in ("likelihood", "drift") and self.base[task].score else POINTS

    def runs(self, variant: str | None, seeds: Sequence[int], task: str) -> list[Measured]:
        """A variant's results on a task, one per seed; None: the base's, once for each."""
        if variant is None:
            return [self.base[task]] * len(seeds)
        return [self.variants[variant][seed][task] for seed in seeds]

    def flips(self, variant: str, other: str | None, seeds: Sequence[int], task: str) -> list[tuple[int, int]] | None:
        """Lost and gained items of each seed, against another variant or the base; None: items are not right or wrong.

        Args: as of `runs`; other: as `variant` there.
        """
        found = []
        for before, after in zip(self.runs(other, seeds, task), self.runs(variant, seeds, task), strict=True):
            if before.right is None or after.right is None:
                return None
            found.append(flips(before.right, after.right))
        return found

    def prior(self, measure: str, between: bool) -> Prior | None:
        """What all variants tell of how much seeds differ: `Pool.prior`. Args: measure: as `pools` has it."""
        return self.pools[measure].prior(between) if measure in self.pools else None

    @cached_property
    def pools(self) -> dict[str, Pool]:
        """Every measure of all variants: TI, BWT, `rest_name`, and each task."""
        measures: dict[str, Callable[[str, Sequence[int]], Effect | None]] = {
            TI: self.improvement,
            BWT: lambda variant, seeds: self.transfer(variant, seeds, self.others),
            self.rest_name: lambda variant, seeds: self.transfer(variant, seeds, self.remaining),
            **{task: partial(self.on_task, task=task) for task in self.roles},
        }
        return {name: self._pool(effect) for name, effect in measures.items()}

    def equality(self, variant: str, other: str | None, seeds: Sequence[int]) -> Tested | None:
        """What is tested of TI, or of a difference of two: that of the scores. Args: other: None for the base."""
        task = self.tested
        if task is None or not self.base[task].score:
            return None
        difference = self.on_task(variant, seeds, task) - self.on_task(other, seeds, task)
        return Tested(difference, self.prior(task, other is not None), 1 / self.base[task].score)

    def _pool(self, effect_of: Callable[[str, Sequence[int]], Effect | None]) -> Pool:
        found = {}
        for variant, runs in self.variants.items():
            seeds = sorted(runs)
            if (effect := effect_of(variant, seeds)) is not None:
                found[variant] = dict(zip(seeds, effect.values.tolist(), strict=True))
        return Pool(found)
