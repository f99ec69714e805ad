"""Numbers as the page says them: counts, shares, times and memory."""

from collections.abc import Sequence


def tone(change: float | None) -> str:
    """The colour of a change: none where it rounds to 0, so that no noise of floating point is shown as a loss."""
    rounded = round(change or 0.0, 2)
    return "up" if rounded > 0 else "down" if rounded < 0 else "even"


def share(value: float | None) -> str:
    """A share of 1 in percent."""
    return "–" if value is None else f"{100 * value:.1f} %"


def count(value: float | None) -> str:
    """A whole number, with commas between thousands."""
    return "–" if value is None else f"{value:,.0f}"


def score(value: float) -> str:
    """A score of a table: three decimals, or its first two digits where that would be 0 and it is not."""
    return f"{value:.2g}" if 0 < value < 0.0005 else f"{value:.3f}"


def items(number: float | None, name: str = "item") -> str:
    """How many items, or other things of a name whose plural ends in s."""
    return f"{count(number)} {name}{'' if number == 1 else 's'}"


def ends(sizes: Sequence[float]) -> str:
    """From the least to the largest of some sizes, as whole numbers from 10 on, else with a decimal."""
    said = (f"{end:,.0f}" if end >= 10 else f"{round(end, 1):g}" for end in (min(sizes), max(sizes)))
    return " to ".join(dict.fromkeys(said))


def gigabytes(value: float | None) -> str:
    """Bytes as GB."""
    return "–" if value is None else f"{value / 1e9:.2f} GB"


def duration(seconds: float | None) -> str:
    """Seconds as a reader says them."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Names in a sentence: a, b and c. Args: most: more than these are counted: a, b and 3 others."""
    if most is not None and len(names) > most:
        rest = len(names) - most
        names = [*names[:most], f"{rest} other{'' if rest == 1 else 's'}"]
    *first, last = names or [""]
    return f"{', '.join(first)} and {last}" if first else last
