"""Every variant against the base and against every other variant: TI, BWT and each task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

import polars as pl

from clearminds.files.summary import BASE, COMPARISONS
from clearminds.stages.statistics.effects import PERCENT, Effect
from clearminds.stages.statistics.exact import holm
from clearminds.stages.statistics.groups import BWT, OF_BASE, TI, Group
from clearminds.stages.statistics.told import UNTESTED, told
from clearminds.stages.statistics.verdicts import verdict

# KL divergence is never negative, so that any movement at all is one in the direction that a test would look for
BOUNDARY = "not tested: the base has not drifted from itself, and nothing drifts less"


def comparisons(groups: Sequence[Group]) -> pl.DataFrame:
    """Every comparison of a study, as `COMPARISONS` says: the base first, then earlier variants.

    p-values, and the differences that can be detected, are corrected by Holm's method over the whole study, in two
    families: what is claimed of TI and BWT, and what of single tasks.
    """
    rows = [row for group in groups for pair in _pairs(group) for row in _pair(group, *pair)]
    for family in (("ti", "bwt"), ("target", "ood", "likelihood", "drift")):
        members = [row for row in rows if row["role"] in family and row["p"] is not None]
        corrected = holm([row["p"] for row in members])
        for row, p in zip(members, corrected, strict=True):
            row["p_holm"] = p
            row["detectable_holm"] = row["detectable_of"](len(members))
    for row in rows:
        del row["detectable_of"]
        if row["test"] != UNTESTED:
            row["verdict"] = verdict(row["difference"], row.get("p_holm"), row.get("detectable_holm"))
    return pl.DataFrame(rows, schema=COMPARISONS)


def _pairs(group: Group) -> Iterator[tuple[str, str | None]]:
    names = list(group.variants)
    for n, variant in enumerate(names):
        yield from ((variant, other) for other in (None, *names[:n]))


def _pair(group: Group, variant: str, other: str | None) -> Iterator[dict]:
    """The rows of a variant against another one, with `detectable_of`. Args: other: None for the base."""
    own = sorted(group.variants[variant])
    seeds = own if other is None else [seed for seed in own if seed in group.variants[other]]
    notes = [] if other is None else _unpaired(variant, other, group, seeds)
    for measure, role, unit, effect, why, tasks in _measures(group, variant, other, seeds):
        paired = len(tasks) == 1 and bool(seeds)
        counts = group.flips(variant, other, seeds, tasks[0]) if paired else None
        bounded = role == "drift" and other is None
        equal = group.equality(variant, other, seeds) if role == "ti" and seeds else None
        yield {
            "model": group.model,
            "target": group.target,
            "variant": variant,
            "other": other or BASE,
            "measure": measure,
            "role": role,
            "unit": unit,
            "seeds": len(seeds),
            "n_items": sum(len(group.base[task].influence) for task in tasks),
            "lost": counts and sum(lost for lost, _ in counts),
            "gained": counts and sum(gained for _, gained in counts),
            **told(effect, counts, group.prior(measure, other is not None), equal),
            **(_mistakes(group, variant, other, seeds, tasks[0]) if paired else {}),
            **({"test": UNTESTED, "p": None, "detectable": None} if bounded else {}),
            "note": "; ".join([*why, *([BOUNDARY] if bounded else []), *notes]) or None,
        }


def _measures(
    group: Group, variant: str, other: str | None, seeds: list[int]
) -> Iterator[tuple[str, str, str, Effect | None, list[str], list[str]]]:
    """What is compared: its name, role and unit, the difference, why that is undefined, and the tasks it is of."""

    def less(effect: Callable[[str], Effect | None]) -> Effect | None:
        of_variant = effect(variant)
        if of_variant is None or other is None:  # TI and BWT of the base are 0
            return of_variant
        of_other = effect(other)
        return None if of_other is None else of_variant - of_other

    tested, others = group.tested, group.others
    if not seeds:
        alone = ["they have no seed in common"]
        yield TI, "ti", OF_BASE, None, alone, [tested] if tested else []
        yield BWT, "bwt", OF_BASE, None, alone, others
        yield from ((task, role, group.unit(task), None, alone, [task]) for task, role in group.roles.items())
        return
    improvement = less(lambda name: group.improvement(name, seeds))
    why = "no accuracy on the target was measured" if tested is None else f"the base scores 0 on {tested}"
    yield TI, "ti", OF_BASE, improvement, [] if improvement else [why], [tested] if tested else []
    transfer = less(lambda name: group.transfer(name, seeds, others))
    left_out = ", ".join(group.left_out)
    why = f"the base scores 0 on {left_out}" if others else "no accuracy on another task was measured"
    yield BWT, "bwt", OF_BASE, transfer, [] if transfer else [why], others
    if left_out and (rest := group.remaining):
        part = less(lambda name: group.transfer(name, seeds, rest))
        yield group.rest_name, "bwt", OF_BASE, part, [f"over {', '.join(rest)}"], rest
    for task, role in group.roles.items():
        difference = group.on_task(variant, seeds, task) - group.on_task(other, seeds, task)
        yield task, role, group.unit(task), difference, [], [task]


def _mistakes(group: Group, variant: str, other: str | None, seeds: list[int], task: str) -> dict[str, float | None]:
    """The change of each kind of mistake on a task, in points."""
    found: dict[str, float | None] = {}
    for kind in ("wrong_answer", "format_failure"):
        before, after = ([getattr(run, kind) for run in group.runs(name, seeds, task)] for name in (other, variant))
        found[kind] = None if None in [*before, *after] else PERCENT * (fmean(after) - fmean(before))
    return found


def _unpaired(variant: str, other: str, group: Group, seeds: list[int]) -> list[str]:
    """What is left out of a comparison of two variants with other seeds."""
    found = []
    for name in (variant, other):
        if alone := sorted(set(group.variants[name]) - set(seeds)):
            found.append(f"left out: seed {', '.join(map(str, alone))} of {name} alone")
    return found
