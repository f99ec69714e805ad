"""Reference answers for sums and differences, worded as different teachers would write them.

reasoning_gym's `chain_sum` gives an expression and its result, but no worked answer. `word_reference` writes one: it
draws a wording that suits the numbers (no tens and ones for 3 + 4, no counting on by 57) and fills it in. Every
statement made is true, and the last number of the text is the result, which is what the verifier reads.

    >>> word_reference([58, 26], ["+"], 84, random.Random(2))
    '58 + 26 = 84.'
"""

import random

# Wordings that suit any two numbers: one for a sum, one for a difference.
TEMPLATES = {
    "plain": ("{a} + {b} = {r}.", "{a} - {b} = {r}."),
    "answer": ("The answer is {r}.", "The answer is {r}."),
    "final_answer": (
        "The final answer to the arithmetic problem {a} + {b} is {r}.",
        "The final answer to the arithmetic problem {a} - {b} is {r}.",
    ),
    "gerund": ("Adding {a} and {b} gives us {r}.", "Subtracting {b} from {a} gives us {r}."),
    "to_solve": (
        "To solve this problem, we need to add {a} and {b}. {a} + {b} = {r}.",
        "To solve this problem, we need to subtract {b} from {a}. {a} - {b} = {r}.",
    ),
    "start": ("If we start with {a} and add {b}, we get {r}.", "If we start with {a} and subtract {b}, we get {r}."),
    "words": ("{a} plus {b} is equal to {r}.", "{a} minus {b} is equal to {r}."),
}


def sum_wordings(a: int, b: int, r: int) -> dict[str, str]:
    """The ways of working out a + b = r that suit these two numbers, by name."""
    texts = {"sum": f"The sum of {a} and {b} is {r}."}
    tens, ones = b - b % 10, b % 10
    to_ten = -a % 10  # what a lacks to the next ten
    over = -b % 10  # what b lacks to the next ten
    if tens and ones:
        texts["tens_first"] = f"Add the tens: {a} + {tens} = {a + tens}. Then add the ones: {a + tens} + {ones} = {r}."
    if tens and ones and a > 10 and a % 10:
        high, low = a - a % 10 + tens, a % 10 + ones
        texts["columns"] = f"{a - a % 10} + {tens} = {high} and {a % 10} + {ones} = {low}, so the total is {r}."
    if tens and 1 <= over <= 3:
        texts["compensate"] = f"{a} + {b} is the same as {a} + {b + over} - {over}, which is {r}."
    if 0 < to_ten < b:
        texts["make_ten"] = f"{a} + {to_ten} = {a + to_ten}, and {a + to_ten} + {b - to_ten} = {r}."
    if 2 <= b <= 4:
        texts["count_up"] = (
            f"Counting up from {a}, we get {', '.join(str(a + i) for i in range(1, b + 1))}. So the answer is {r}."
        )
    if a < b:
        texts["swap"] = f"{a} + {b} is the same as {b} + {a}, which is {r}."
    if 0 < a < b <= a + 2:
        texts["near_double"] = f"We know that {a} + {a} = {2 * a}, so {a} + {b} = {r}."
    if b == 0:
        texts["zero"] = f"Adding 0 to a number does not change it, so {a} + 0 = {r}."
    return texts


def difference_wordings(a: int, b: int, r: int) -> dict[str, str]:
    """The ways of working out a - b = r that suit these two numbers, by name."""
    if r < 0:
        return {
            "reverse": f"Since {b} - {a} = {-r}, we know that {a} - {b} = {r}.",
            "negative": f"Since {b} is greater than {a}, the answer is negative: {a} - {b} = {r}.",
        }
    texts = {
        "difference": f"The difference between {a} and {b} is {r}.",
        "inverse": f"Since {b} + {r} = {a}, we know that {a} - {b} = {r}.",
    }
    tens, ones = b - b % 10, b % 10
    to_ten = a % 10  # what a has above the ten below it
    over = -b % 10  # what b lacks to the next ten
    if tens and ones:
        texts["tens_first"] = (
            f"Subtract the tens: {a} - {tens} = {a - tens}. Then subtract the ones: {a - tens} - {ones} = {r}."
        )
    if tens and 1 <= over <= 3:
        texts["compensate"] = f"{a} - {b} is the same as {a} - {b + over} + {over}, which is {r}."
    if 0 < to_ten < b:
        texts["make_ten"] = f"{a} - {to_ten} = {a - to_ten}, and {a - to_ten} - {b - to_ten} = {r}."
    if 2 <= b <= 4:
        texts["count_down"] = (
            f"Counting down from {a}, we get {', '.join(str(a - i) for i in range(1, b + 1))}. So the answer is {r}."
        )
    if b == 0:
        texts["zero"] = f"Subtracting 0 from a number does not change it, so {a} - 0 = {r}."
    return texts


def wordings(a: int, operator: str, b: int, r: int) -> dict[str, str]:
    """Every wording that suits `a operator b = r`, by name. `a` and `b` are 0 or more; `operator` is '+' or '-'."""
    texts = {name: pair[operator == "-"].format(a=a, b=b, r=r) for name, pair in TEMPLATES.items()}
    return texts | (sum_wordings(a, b, r) if operator == "+" else difference_wordings(a, b, r))


def step_by_step(terms: list[int], operators: list[str], result: int) -> str:
    """The work from left to right, one statement for each operator."""
    total, steps = terms[0], []
    for operator, term in zip(operators, terms[1:], strict=True):
        after = total + term if operator == "+" else total - term
        steps.append(f"{total} {operator} {term} = {after}")
        total = after
    return f"Working from left to right, {', then '.join(steps)}. The answer is {result}."


def word_reference(terms: list[int], operators: list[str], result: int, rng: random.Random) -> str:
    """A short worked answer to `terms` joined by `operators`, the last number of which is `result`.

    Two terms of 0 or more get one of the wordings that suit them, drawn evenly with `rng`; any others are worked from
    left to right. Equal arguments and an equal state of `rng` give an equal text. Raises ValueError if the result is
    not that of the expression or an operator is neither '+' nor '-'.
    """
    if not set(operators) <= {"+", "-"}:
        raise ValueError(f"chain_sum knows + and -, not {operators}")
    value = terms[0] + sum(t if o == "+" else -t for o, t in zip(operators, terms[1:], strict=True))
    if value != result:
        raise ValueError(f"the result of {terms} with {operators} is {value}, not {result}")
    if len(terms) != 2 or min(terms) < 0:
        return step_by_step(terms, operators, result)
    return rng.choice(list(wordings(terms[0], operators[0], terms[1], result).values()))
