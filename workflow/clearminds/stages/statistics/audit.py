"""Whether published TI and BWT follow from the scores beside them, and what else they may have been computed from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations, permutations

from clearminds.errors import UserError

TI, BWT = "TI", "BWT"
NAMED = 3  # likely causes that are told


@dataclass(frozen=True)
class Number:
    """A number as it is written: what it may have been before rounding is `value` plus or minus `half`."""

    value: float
    half: float


@dataclass(frozen=True)
class Published:
    """One row of a published table.

    Attributes:
        row, model, target: their names.
        base, scores: task -> score, None where there is a blank; the same tasks in the same order.
        ti, bwt: what is claimed, in percent; None: nothing.
    """

    row: str
    model: str
    target: str
    base: Mapping[str, Number | None]
    scores: Mapping[str, Number | None]
    ti: Number | None
    bwt: Number | None


@dataclass(frozen=True)
class Finding:
    """What was found of one claim.

    Attributes:
        published: its row.
        what: TI or BWT.
        claimed: in percent.
        computed: from the row's own scores, blanks left out; None: it cannot be, `why` says for what reason.
        follows: whether the claim is what the digits of the scores allow.
        causes: of one that does not follow, what it would follow from; of one that cannot be computed, which blank was
            counted as a number.
        why: why it cannot be computed.
    """

    published: Published
    what: str
    claimed: float
    computed: float | None
    follows: bool
    causes: tuple[str, ...] = ()
    why: str = ""


def audit(rows: Sequence[Published]) -> list[Finding]:
    """Recompute every claim of a table."""
    return [found for row in rows for what in (TI, BWT) if (found := _audited(row, what, rows)) is not None]


def _audited(row: Published, what: str, rows: Sequence[Published]) -> Finding | None:
    claim = row.ti if what == TI else row.bwt
    if claim is None:
        return None
    try:
        computed = _computed(row, what)
    except UserError as error:
        causes = _that_allow(claim, _recomputed(what, _of_blanks(row, what)))
        return Finding(row, what, claim.value, None, False, causes, str(error))
    if _allows(computed, claim):
        return Finding(row, what, claim.value, computed.value, True)
    return Finding(
        row, what, claim.value, computed.value, False, _that_allow(claim, _hypotheses(row, what, rows))[:NAMED]
    )


def _that_allow(claim: Number, hypotheses: Iterable[tuple[str, Number]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cause for cause, other in hypotheses if _allows(other, claim)))


def _allows(computed: Number, claim: Number) -> bool:
    return abs(computed.value - claim.value) <= computed.half + claim.half + 1e-9


def _computed(row: Published, what: str) -> Number:
    """TI or BWT from a row's own scores.

    Raises:
        UserError: a score is blank, or a base score is 0.
    """
    tasks = [task for task in _tasks(row, what) if _is_there(row, task, what)]
    changes = [_change(task, row.scores[task], row.base[task]) for task in tasks]
    if not changes:
        raise UserError("no other task has a score and a base score")
    return _mean(changes, len(changes))


def _tasks(row: Published, what: str) -> list[str]:
    """Those that a claim is of."""
    return [row.target] if what == TI else [task for task in row.scores if task != row.target]


def _is_there(row: Published, task: str, what: str) -> bool:
    there = row.scores[task] is not None and row.base[task] is not None
    if what == TI and not there:
        raise UserError(f"the target {task} has no {'score' if row.scores[task] is None else 'base score'}")
    return there


def _change(task: str, score: Number | None, base: Number | None) -> Number:
    """100 * (S / S_base - 1), with the most that rounding of both leaves open."""
    if score is None or base is None or base.value == 0:
        raise UserError(f"the base score of {task} is {'0' if base and score else 'blank'}, so no change is defined")
    ratio = score.value / base.value
    low = (score.value - score.half) / (base.value + base.half)
    high = (score.value + score.half) / (base.value - base.half) if base.value > base.half else math.inf
    return Number(100 * (ratio - 1), 100 * max(high - ratio, ratio - low))


def _mean(changes: Sequence[Number], n: int) -> Number:
    return Number(math.fsum(c.value for c in changes) / n, math.fsum(c.half for c in changes) / n)


def _hypotheses(row: Published, what: str, rows: Sequence[Published]) -> Iterator[tuple[str, Number]]:
    """What a claim may have been computed from instead: words, and what that gives; the likeliest first."""
    yield from _of_the_other_claim(row, what)
    others = (
        *_of_blanks(row, what),
        *_of_other_bases(row, what, rows),
        *_of_swaps(row),
        *_of_bases_within(row),
    )
    yield from _recomputed(what, others)
    yield from _other_formulas(row, what, rows)


def _recomputed(what: str, others: Iterable[tuple[str, Published]]) -> Iterator[tuple[str, Number]]:
    """What a claim would be from other scores, where that is defined."""
    for cause, other in others:
        with suppress(UserError):
            yield cause, _computed(other, what)


def _of_the_other_claim(row: Published, what: str) -> Iterator[tuple[str, Number]]:
    """TI where BWT should be, or the other way round."""
    instead, beside = (BWT, row.bwt) if what == TI else (TI, row.ti)
    with suppress(UserError):
        both = beside is not None and _allows(_computed(row, what), beside)
        yield "TI and BWT swapped" if both else f"it is {instead}, not {what}", _computed(row, instead)


def _of_blanks(row: Published, what: str) -> Iterator[tuple[str, Published]]:
    blank = [task for task in _tasks(row, what) if row.scores[task] is None and row.base[task] is not None]
    if blank:
        zeros = {task: Number(0, 0) for task in blank}
        yield f"a blank counted as zero ({', '.join(blank)})", replace(row, scores={**row.scores, **zeros})
        same = {task: row.base[task] for task in blank}
        yield f"a blank counted as no change ({', '.join(blank)})", replace(row, scores={**row.scores, **same})


def _of_other_bases(row: Published, what: str, rows: Sequence[Published]) -> Iterator[tuple[str, Published]]:
    bases = {tuple(other.base.values()): other for other in reversed(rows)}  # the first row that has them
    needed = [task for task in _tasks(row, what) if row.base[task] is not None and row.scores[task] is not None]
    for other in reversed(bases.values()):
        # without a score for all of them it would be no other base, but other tasks
        if dict(other.base) != dict(row.base) and all(other.base[task] is not None for task in needed):
            yield f"another base (that of {other.model}, row {other.row})", replace(row, base=other.base)
        for task in needed:
            if other.base[task] not in (None, row.base[task]):
                mixed = {**row.base, task: other.base[task]}
                yield f"another base on {task} alone (of {other.model}, row {other.row})", replace(row, base=mixed)


def _of_swaps(row: Published) -> Iterator[tuple[str, Published]]:
    for one, another in combinations(row.scores, 2):
        swapped = {**row.scores, one: row.scores[another], another: row.scores[one]}
        yield f"swapped columns ({one} and {another})", replace(row, scores=swapped)


def _of_bases_within(row: Published) -> Iterator[tuple[str, Published]]:
    for one, another in permutations(row.base, 2):
        yield f"another task's base ({another}'s for {one})", replace(row, base={**row.base, one: row.base[another]})


def _other_formulas(row: Published, what: str, rows: Sequence[Published]) -> Iterator[tuple[str, Number]]:
    """Other formulas over the same scores."""
    there = [task for task in row.scores if row.scores[task] is not None and row.base[task] is not None]
    changes = {
        task: _change(task, row.scores[task], base) for task in there if (base := row.base[task]) and base.value != 0
    }
    others = [task for task in changes if task != row.target]
    if what == TI:
        for task in others:
            yield f"the change of {task}, not of the target", changes[task]
    elif changes:
        yield "the target counted among the other tasks", _mean(list(changes.values()), len(changes))
        for left in others:
            rest = [changes[task] for task in others if task != left]
            if rest:
                yield f"{left} left out", _mean(rest, len(rest))
    tasks = [row.target] if what == TI else others
    hundred = 1 if _in_percent(rows) else 100
    points = [_points(row.scores[task], row.base[task], hundred) for task in tasks if task in changes]
    if points:
        yield "differences in points, not relative to the base", _mean(points, len(points))


def _in_percent(rows: Sequence[Published]) -> bool:
    """Whether a table has scores of 0 to 100, not shares of 1."""
    numbers = (number for row in rows for number in (*row.base.values(), *row.scores.values()))
    return any(number is not None and number.value > 1 for number in numbers)


def _points(score: Number | None, base: Number | None, hundred: int) -> Number:
    assert score is not None and base is not None  # only tasks that have both are asked for
    return Number(hundred * (score.value - base.value), hundred * (score.half + base.half))
