"""Slips: what people take a number for, and what makes one look like the right answer.

A slip leads back as often as forth, so that of two numbers either could be the one that the other comes from.
"""

import math
import random
import re
from decimal import Context, Decimal
from itertools import combinations, pairwise

NUMBER = re.compile(r"\d+(?:\.\d+)?")
OPERANDS = 4  # of a longer item only the first ones are combined
DIGITS = 100  # of a number at most
LARGEST = 10**15  # of an operand: products stay numbers that one may write


def slip(value: Decimal, rng: random.Random, decimals: int, made: list[Decimal]) -> Decimal | None:
    """What a slip makes of a number; None: that kind of slip is not possible."""
    kind = rng.choice(("near", "far", "digit", "swap", "operands"))
    unit = Decimal(1).scaleb(-decimals)
    if kind == "near":
        return value + rng.choice((1, -1)) * rng.choice((1, 2, 3, 10)) * unit
    if kind == "far":  # of about the right size: what a rough estimate would take for the answer
        share = Decimal(rng.choice(("1.1", "1.25", "1.5", "2")))
        return _rounded(value * share if rng.random() < 0.5 else value / share, decimals)
    if kind == "operands":
        return rng.choice(made) if made else None
    characters = list(f"{value:f}")
    places = [place for place, character in enumerate(characters) if character.isdigit()]
    if kind == "digit":
        place = rng.choice(places)
        characters[place] = str((int(characters[place]) + rng.choice((1, 9))) % 10)
    elif len(places) > 1:
        a, b = rng.choice(list(pairwise(places)))
        characters[a], characters[b] = characters[b], characters[a]
    return Decimal("".join(characters))


def from_operands(item: dict) -> list[Decimal]:
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
    return [*operands, *made]


def alike(candidate: Decimal, right: Decimal, digits: int) -> bool:
    """Whether sign and length give nothing away: a shorter number is likelier to a model, right or wrong.

    Args:
        candidate, right: the numbers.
        digits: how many more or less one may have.
    """
    lengths = [len(str(abs(int(value)))) for value in (candidate, right)]
    return (candidate < 0) == (right < 0) and abs(lengths[0] - lengths[1]) <= digits


def decimals_of(value: Decimal) -> int:
    """Decimals up to the last one that is not 0."""
    return max(0, -int(value.normalize().as_tuple().exponent))


def written(value: Decimal, decimals: int) -> str | None:
    """A number as the answer is written; None: it has more decimals."""
    rounded = _rounded(value, decimals)
    return f"{rounded:f}" if rounded == value else None


def _rounded(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), context=Context(prec=DIGITS))
