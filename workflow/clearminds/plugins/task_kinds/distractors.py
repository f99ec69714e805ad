"""Wrong answers beside the right one of a generated item, so that it can be asked as multiple choice.

They are the slips that people make: a near miss, a rough estimate, a wrong digit, an operand taken for the result, the
wrong operation. All depend on the item alone, so that a larger split changes none of them.

Numbers that are guessed by their form alone, without the question, are right about as often as by chance. What is left:
numbers of one or two digits have few others of their length, and a right answer of 1 can't be the third smallest; gcd
at its default sizes, whose answers are mostly 1 to 4, is guessed by the smallest number above 0 in .43 of its items
(chance: .25). Larger operands help. Nor does the form hide what answers are like: products are more often even.
"""

import random
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import product

from clearminds.errors import UserError
from clearminds.files.digests import digest
from clearminds.plugins.answers import as_decimal
from clearminds.plugins.task_kinds.slips import alike, decimals_of, from_operands, slip, written

PAIRS = (("Yes", "No"), ("yes", "no"), ("True", "False"), ("true", "false"))
TREES = 60  # of slips that are tried until the right answer has its rank
TRIES = 20  # of slips for one wrong answer
STEPS = 100  # from the right answer, where slips are too few


def choices_for(item: dict, number: int, generator: str, is_right: Callable[[str], bool]) -> dict:
    """The choices of an item, as `meta` has them: `choices`, and `gold`, the place of the right one.

    Args:
        item: of a reasoning-gym data set.
        number: of choices, the right one among them.
        generator: its name, for errors.
        is_right: whether the generator would take a text for the answer.

    Raises:
        UserError: nothing wrong can be derived from the item's kind of answer.
    """
    rng = random.Random(digest(["choices", item["question"], item["answer"]]))
    wrong = _wrong_answers(item, number - 1, rng, is_right)
    if wrong is None:
        raise UserError(
            f"choices: no {number - 1} wrong answers can be derived for {generator}, whose answers are such as "
            f"{' '.join(str(item['answer']).split())[:60]!r}; allowed: generators of numbers, of Yes or No with "
            "choices: 2, and those whose items list their options; choose another, or evaluate: accuracy"
        )
    choices = [item["answer"], *wrong]
    rng.shuffle(choices)
    return {"choices": choices, "gold": choices.index(item["answer"])}


def _wrong_answers(item: dict, number: int, rng: random.Random, is_right: Callable[[str], bool]) -> list[str] | None:
    answer = item["answer"]
    if not isinstance(answer, str):
        return None
    if as_decimal(answer) is not None and re.fullmatch(r"-?\d{1,40}(\.\d{1,40})?", answer):
        return _numbers(item, number, rng, is_right)
    for pair in PAIRS:
        if answer in pair:
            return [other for other in pair if other != answer] if number == 1 else None
    return _options(item, number, rng, is_right)


def _options(item: dict, number: int, rng: random.Random, is_right: Callable[[str], bool]) -> list[str] | None:
    """Other members of a list in the item's metadata that has the answer."""
    for value in item["metadata"].values():
        if isinstance(value, list | tuple) and item["answer"] in value and all(isinstance(one, str) for one in value):
            others = [one for one in dict.fromkeys(value) if one.strip() and not is_right(one)]
            if len(others) >= number:
                return rng.sample(others, number)
    return None


def _numbers(item: dict, number: int, rng: random.Random, is_right: Callable[[str], bool]) -> list[str] | None:
    """Wrong numbers that are slips of the right one or of one another, so that it is not the one they all resemble.

    The choices are the nodes of a random tree, and the right answer is any of them. Slips lead back as often as forth:
    given the choices alone, each could be the one that the others come from. The rank of the right one is drawn first.
    """
    right, decimals = Decimal(item["answer"]), len(item["answer"].partition(".")[2])
    # a rounder number than the right one would stand out
    made = [value for value in from_operands(item) if decimals_of(value) == decimals_of(right)]
    rank = rng.randrange(number + 1)  # how many choices are to be below it
    tolerance = _tolerance(right, decimals, is_right)

    def text_of(candidate: Decimal, digits: int, taken: Iterable[Decimal]) -> str | None:
        text = written(candidate, decimals)
        if text is None or not alike(candidate, right, digits) or is_right(text):
            return None
        return text if all(abs(candidate - other) > tolerance for other in taken) else None

    best: dict[Decimal, str] = {}
    missed = number + 1
    for _ in range(TREES):
        found = _grown(right, _tree(number + 1, rng), rng, decimals, made, text_of)
        if found is not None and abs(_below(found, right) - rank) < missed:
            best, missed = found, abs(_below(found, right) - rank)
        if missed == 0:
            break
    if not best:  # a number of few digits has few that are like it
        best = _neighbours(right, number, rank, decimals, text_of)
    return list(best.values()) if len(best) == number else None


def _tolerance(right: Decimal, decimals: int, is_right: Callable[[str], bool]) -> Decimal:
    """How near the right number another counts as right: wrong ones that are nearer to one another would show it."""
    tolerance = Decimal(0)
    for place in range(decimals + 1):
        step = Decimal(1).scaleb(place - decimals)
        if not any(is_right(f"{right + sign * step:f}") for sign in (1, -1)):
            break
        tolerance = step
    return tolerance


def _tree(size: int, rng: random.Random) -> list[tuple[int, int]]:
    """Edges of a random tree over the places of a random order, from place 0, the right answer, outwards."""
    places = rng.sample(range(size), size)
    open_edges = [{places[node], places[rng.randrange(node)]} for node in range(1, size)]
    edges: list[tuple[int, int]] = []
    reached = [0]
    for place in reached:  # grows meanwhile
        for edge in [edge for edge in open_edges if place in edge]:
            open_edges.remove(edge)
            (other,) = edge - {place}
            edges.append((place, other))
            reached.append(other)
    return edges


def _grown(
    right: Decimal,
    edges: list[tuple[int, int]],
    rng: random.Random,
    decimals: int,
    made: list[Decimal],
    text_of: Callable[[Decimal, int, Iterable[Decimal]], str | None],
) -> dict[Decimal, str] | None:
    """The wrong answers of a tree and how they are written; None: a place finds no number."""
    values, texts = {0: right}, {}
    for known, place in edges:
        for _ in range(TRIES):
            value = slip(values[known], rng, decimals, made)
            text = None if value is None else text_of(value, 0, values.values())
            if value is not None and text is not None:
                values[place] = value
                texts[value] = text
                break
        else:
            return None
    return texts


def _below(found: Iterable[Decimal], right: Decimal) -> int:
    return sum(value < right for value in found)


def _neighbours(
    right: Decimal,
    number: int,
    rank: int,
    decimals: int,
    text_of: Callable[[Decimal, int, Iterable[Decimal]], str | None],
) -> dict[Decimal, str]:
    """The numbers next to the right one, as many below as its rank says, or what there is."""
    found: dict[Decimal, str] = {}
    for bounded, digits, step, sign in product((True, False), (0, 1), range(1, STEPS), (1, -1)):
        candidate = right + sign * step * Decimal(1).scaleb(-decimals)
        below = _below(found, right)
        full = below >= rank if sign < 0 else len(found) - below >= number - rank
        if len(found) == number or (bounded and full):
            continue
        text = text_of(candidate, digits, [right, *found])
        if text is not None:
            found[candidate] = text
    return found
