"""Wrong answers beside the right one of a generated item, so that it can be asked as multiple choice.

They are the slips that people make: a near miss, a wrong digit, an operand taken for the result, the wrong operation.
All depend on the item alone, so that a larger split changes none of them.
"""

import math
import random
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import combinations

from clearminds.errors import UserError
from clearminds.files.digests import digest
from clearminds.plugins.answers import as_decimal

PAIRS = (("Yes", "No"), ("yes", "no"), ("True", "False"), ("true", "false"))
NUMBER = re.compile(r"\d+(?:\.\d+)?")
OPERANDS = 4  # of a longer item only the first ones are combined
STEPS = 100  # beyond the right answer, where slips are too few
LARGEST = 10**15  # of an operand: products stay numbers that one may write


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
    if as_decimal(answer) is not None and re.fullmatch(r"-?\d+(\.\d+)?", answer):
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
    answer = item["answer"]
    decimals = len(answer.partition(".")[2])
    right = Decimal(answer)
    kinds = [list(kind) for kind in (_near(right, decimals), _slips(answer), *_from_operands(item))]
    for kind in kinds:
        rng.shuffle(kind)
    rng.shuffle(kinds)
    found: list[str] = []

    def take(candidate: Decimal) -> None:
        text = _written(candidate, decimals)
        if text is not None and text not in found and _alike(candidate, right) and not is_right(text):
            found.append(text)

    while len(found) < number and any(kinds):
        for kind in kinds:  # in turn, so that no kind of slip fills the choices alone
            if kind and len(found) < number:
                take(kind.pop())
    for step in range(1, STEPS):
        if len(found) < number:
            take(right + (1 if right >= 0 else -1) * step * Decimal(1).scaleb(-decimals))
    return found if len(found) == number else None


def _near(right: Decimal, decimals: int) -> Iterator[Decimal]:
    unit = Decimal(1).scaleb(-decimals)
    for distance in (1, 2, 3, 10):
        yield from (right + distance * unit, right - distance * unit)


def _slips(answer: str) -> Iterator[Decimal]:
    """One digit is another, or two neighbours have changed places."""
    places = [place for place, character in enumerate(answer) if character.isdigit()]
    for place in places:
        for step in (1, 9):
            digit = str((int(answer[place]) + step) % 10)
            yield Decimal(answer[:place] + digit + answer[place + 1 :])
    for a, b in zip(places, places[1:], strict=False):
        characters = list(answer)
        characters[a], characters[b] = characters[b], characters[a]
        yield Decimal("".join(characters))


def _from_operands(item: dict) -> tuple[list[Decimal], list[Decimal]]:
    """The operands, and what other operations make of two of them."""
    numbers = item["metadata"].get("numbers")
    said = numbers if isinstance(numbers, list | tuple) else [item["metadata"].get("expression") or item["question"]]
    operands = [Decimal(text) for text in NUMBER.findall(" ".join(map(str, said)))]
    operands = [operand for operand in operands if operand <= LARGEST][:OPERANDS]
    made: list[Decimal] = [sum(operands, Decimal(0))]
    for a, b in combinations(operands, 2):
        made += [a + b, abs(a - b), -abs(a - b), a * b]
        if a == int(a) and b == int(b) and a and b:
            made += [Decimal(math.gcd(int(a), int(b))), Decimal(math.lcm(int(a), int(b))), max(a, b) // min(a, b)]
    return operands, made


def _alike(candidate: Decimal, right: Decimal) -> bool:
    """Whether sign and size give nothing away: no other sign, and at most a digit more or less."""
    digits = [len(str(abs(int(value)))) for value in (candidate, right)]
    return (candidate < 0) == (right < 0) and abs(digits[0] - digits[1]) <= 1


def _written(value: Decimal, decimals: int) -> str | None:
    """A number as the answer is written; None: it has more decimals."""
    try:
        rounded = value.quantize(Decimal(1).scaleb(-decimals))
    except InvalidOperation:
        return None
    return f"{rounded:f}" if rounded == value else None
