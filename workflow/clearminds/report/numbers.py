"""Numbers as the page says them: counts, shares, times and memory."""

from collections.abc import Sequence

LOWEST = -100.0  # percent: what a score that is never negative can lose of the base's
NOISE = 1e-9  # percent: of floating point, which is no change at all
FAR = 1000.0  # a size above which no digit tells anything


def tone(verdict: str | None) -> str:
    """The colour of a change: that of its verdict, so that no noise of few items is shown as a gain or a loss."""
    return {"better": "up", "worse": "down"}.get(verdict or "", "even")


def signed(value: float, decimals: int = 1) -> str:
    """A number with its sign and so many decimals, or one digit where these alone would make it 0."""
    if abs(value) < NOISE:
        return f"{0:+.{decimals}f}"
    text = f"{value:+.{decimals}f}"
    return text if float(text) else f"{value:+.1g}"


def change(value: float | None) -> str:
    """A change in percent as the page shows it: whole from 100 on, else with a decimal; a dash where undefined."""
    if value is None:
        return "–"
    return f"{value:+,.0f}" if abs(value) >= 99.95 else signed(value)


def interval(limits: tuple[float, float] | None) -> str:
    """An interval as the page shows it, in brackets behind its estimate; empty for one that is undefined."""
    return "" if limits is None else f"\N{NO-BREAK SPACE}[{', '.join(change(end) for end in limits)}]"


def size(value: float | None) -> str:
    """A size without its sign, such as the smallest detectable difference, in the digits of `change`."""
    if value is None:
        return "none"
    return f"over {FAR:,.0f}" if value > FAR else change(value).lstrip("+")


def chance(p: float | None) -> str:
    """A p-value with two digits."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.2g}" if p < 0.995 else "1"


def within(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    """An interval of a change from the base, in percent of its score, without what no score can reach."""
    return limits and (max(limits[0], LOWEST), max(limits[1], LOWEST))


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
