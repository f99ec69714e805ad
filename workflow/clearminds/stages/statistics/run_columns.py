"""The statistics of the result table: of one run's items, and of a variant over its seeds."""

from __future__ import annotations

from collections.abc import Mapping

from clearminds.stages.statistics.effects import change_effect, score_effect
from clearminds.stages.statistics.exact import flips, wilson
from clearminds.stages.statistics.groups import Group
from clearminds.stages.statistics.intervals import interval
from clearminds.stages.statistics.measured import Measured


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
    effects = {"ti": group.improvement(variant, seeds), "bwt": group.transfer(variant, seeds, group.others)}
    for name, effect in effects.items():
        if effect is not None:
            one = interval(effect)
            found |= {f"{name}_low": one.low, f"{name}_high": one.high, f"{name}_detectable": one.detectable}
            found["interval"] = one.over
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
