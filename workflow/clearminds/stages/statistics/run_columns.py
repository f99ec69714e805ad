"""The statistics of the result table: of one run's items, and of a variant over its seeds."""

from __future__ import annotations

from collections.abc import Mapping

from clearminds.stages.statistics.effects import change_effect, score_effect
from clearminds.stages.statistics.exact import flips, wilson
from clearminds.stages.statistics.groups import BWT, TI, Group
from clearminds.stages.statistics.intervals import interval
from clearminds.stages.statistics.measured import Measured
from clearminds.stages.statistics.told import told


def of_items(run: Measured, base: Measured, is_base: bool) -> dict:
    """The columns of one run and task: intervals over its items, and which of them changed."""
    low, high = _score_limits(run)
    change = interval(change_effect([run], base)) if base.score and not is_base else None
    changed = None if run.right is None or base.right is None else flips(base.right, run.right)
    return {
        "score_low": low,
        "score_high": high,
        "change_low": change and change.low,
        "change_high": change and change.high,
        "lost": changed and changed[0],
        "gained": changed and changed[1],
    }


def of_variant(group: Group, variant: str) -> dict:
    """The columns of a variant: TI and BWT with their intervals, over the seeds that it has."""
    seeds = sorted(group.variants[variant])
    found: dict = {}
    effects = {
        TI: (group.improvement(variant, seeds), [group.tested] if group.tested else []),
        BWT: (group.transfer(variant, seeds, group.others), group.others),
    }
    for name, (effect, tasks) in effects.items():
        if effect is not None:
            counts = group.flips(variant, None, seeds, tasks[0]) if len(tasks) == 1 else None
            equal = group.equality(variant, None, seeds) if name == TI else None
            one = told(effect, counts, group.prior(name, between=False), equal)
            found |= {f"{name.lower()}_{key}": one[key] for key in ("low", "high", "detectable")}
            found["interval"] = one["interval"]
    return found


def of_remaining(group: Group, changes: Mapping[str, float | None]) -> dict:
    """What is left of a BWT that a base score of 0 leaves undefined. Args: changes: of a run, in percent, by task."""
    if not group.left_out:
        return {}
    rest = [change for task in group.remaining if (change := changes[task]) is not None]
    return {"bwt_remaining": sum(rest) / len(rest) if rest else None, "bwt_left_out": ", ".join(group.left_out)}


def _score_limits(run: Measured) -> tuple[float | None, float | None]:
    n = len(run.influence)
    if run.right is not None and len(run.parts) == 1:
        return wilson(int(run.right.sum()), n)
    found = interval(score_effect([run]))
    if found.low is None or found.high is None:
        return None, None
    return max(0.0, found.low / 100), min(1.0, found.high / 100)
