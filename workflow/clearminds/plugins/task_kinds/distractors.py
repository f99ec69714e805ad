"""Wrong answers beside the right one of a generated item, so that it can be asked as multiple choice.

They are the slips that people make: a near miss, a rough estimate, a wrong digit, an operand taken for the result, the
wrong operation. All depend on the item alone, so that a larger split changes none of them.
"""

import math
import random
import re
from collections.abc import Callable, Iterator
from decimal import Context, Decimal
from itertools import combinations, pairwise, product

from clearminds.errors import UserError
from clearminds.files.digests import digest
from clearminds.plugins.answers import as_decimal

PAIRS = (("Yes", "No"), ("yes", "no"), ("True", "False"), ("true", "false"))
NUMBER = re.compile(r"\d+(?:\.\d+)?")
OPERANDS = 4  # of a longer item only the first ones are combined
DIGITS = 100  # of a number at most
STEPS = 100  # from the right answer, where slips are too few
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
    answer = item["answer"]
    decimals = len(answer.partition(".")[2])
    right = Decimal(answer)
    kinds = [
        list(kind) for kind in (_near(right, decimals), _far(right, decimals), _slips(answer), *_from_operands(item))
    ]
    for kind in kinds:
        rng.shuffle(kind)
    rng.shuffle(kinds)
    found: list[str] = []

    def take(candidate: Decimal, digits: int) -> None:
        text = _written(candidate, decimals)
        if text is None or candidate == right or text in found or is_right(text):
            return
        if _alike(candidate, right, digits):
            found.append(text)

    while len(found) < number and any(kinds):
        for kind in kinds:  # in turn, so that no kind of slip fills the choices alone
            if kind and len(found) < number:
                take(kind.pop(), 0)
    # a number of few digits has few that are like it
    for digits, step, sign in product((0, 1), range(1, STEPS), (1, -1)):
        if len(found) < number:
            take(right + sign * step * Decimal(1).scaleb(-decimals), digits)
    return found if len(found) == number else None


def _near(right: Decimal, decimals: int) -> Iterator[Decimal]:
    unit = Decimal(1).scaleb(-decimals)
    for distance in (1, 2, 3, 10):
        yield from (right + distance * unit, right - distance * unit)


def _far(right: Decimal, decimals: int) -> Iterator[Decimal]:
    """Of about the right size: what a rough estimate would take for the answer."""
    for share in ("0.5", "0.75", "0.9", "1.1", "1.25", "1.5"):
        yield _rounded(right * Decimal(share), decimals)


def _slips(answer: str) -> Iterator[Decimal]:
    """One digit is another, or two neighbours have changed places."""
    places = [place for place, character in enumerate(answer) if character.isdigit()]
    for place in places:
        for step in (1, 9):
            digit = str((int(answer[place]) + step) % 10)
            yield Decimal(answer[:place] + digit + answer[place + 1 :])
    for a, b in pairwise(places):
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


def _alike(candidate: Decimal, right: Decimal, digits: int) -> bool:
    """Whether sign and length give nothing away: a shorter number is likelier to a model, right or wrong.

    Args:
        candidate, right: the numbers.
        digits: how many more or less one may have.
    """
    lengths = [len(str(abs(int(value)))) for value in (candidate, right)]
    return (candidate < 0) == (right < 0) and abs(lengths[0] - lengths[1]) <= digits


def _written(value: Decimal, decimals: int) -> str | None:
    """A number as the answer is written; None: it has more decimals."""
    rounded = _rounded(value, decimals)
    return f"{rounded:f}" if rounded == value else None


def _rounded(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), context=Context(prec=DIGITS))
