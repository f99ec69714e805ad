"""Which differences are shown: every comparison as a line of the page, with what its verdict rests on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.numbers import chance, change, count, interval, size, within

MOST = 20_000  # comparisons in the page; of more those of two variants on single tasks are left out
CLAIMS = ("ti", "bwt")  # roles that Holm's method corrects as one family; those of single tasks are another
UNSURE = 3  # a correction that costs more than this, in detectable differences, has too few seeds to go by


@dataclass(frozen=True)
class Line:
    """One comparison, as the page shows it.

    Attributes:
        difference, low_high: with unit, and its 95 % interval.
        p: corrected.
        detectable: the smallest true difference that the corrected test finds four times out of five.
        why: what there is to say of the verdict; empty: nothing.
    """

    variant: str
    other: str
    measure: str
    role: str
    difference: str
    low_high: str
    p: str
    detectable: str
    verdict: str
    why: str


@dataclass(frozen=True)
class Compared:
    """All comparisons of one model and target; `shown` are those with the base, of TI and BWT."""

    model: str
    target: str
    lines: Sequence[Line]

    @property
    def shown(self) -> list[Line]:
        return [line for line in self.lines if line.other == BASE and line.role in CLAIMS]

    @property
    def said(self) -> str:
        """How many of the shown ones came to which verdict."""
        verdicts = [line.verdict for line in self.shown]
        return ", ".join(f"{verdicts.count(one)} {one}" for one in dict.fromkeys(verdicts))


def compared(comparisons: pl.DataFrame) -> list[Compared]:
    """The comparisons by model and target. Args: of `files.summary`, of the whole study, which p is corrected for."""
    rows = comparisons
    if rows.height > MOST:
        rows = rows.filter((pl.col("other") == BASE) | pl.col("role").is_in(CLAIMS))
    tests = families(comparisons)
    parts = rows.partition_by("model", "target", as_dict=True, maintain_order=True)
    return [
        Compared(str(model), str(target), [_line(row, tests) for row in part.iter_rows(named=True)])
        for (model, target), part in parts.items()
    ]


def families(comparisons: pl.DataFrame) -> dict[bool, int]:
    """How many tests share a correction: of TI and BWT (True), and of single tasks."""
    tested = comparisons.drop_nulls("p")
    claims = int(tested["role"].is_in(CLAIMS).sum())
    return {True: claims, False: tested.height - claims}


def verdicts(comparisons: pl.DataFrame, model: str, target: str) -> dict[tuple[str, str], str]:
    """The verdict of each variant against the base: variant and measure, which is TI, BWT or a task, to it."""
    own = comparisons.filter(pl.col("model") == model, pl.col("target") == target, pl.col("other") == BASE)
    found = own.select("variant", "measure", "verdict").drop_nulls().iter_rows()
    return {(variant, measure): verdict for variant, measure, verdict in found}


def _line(row: Mapping, tests: Mapping[bool, int]) -> Line:
    unit = "points" if row["unit"] == "points" else "%"
    limits = None if row["low"] is None else (row["low"], row["high"])
    if row["other"] == BASE and unit == "%":
        limits = within(limits)
    known = row["difference"] is not None
    return Line(
        variant=row["variant"],
        other=row["other"],
        measure=row["measure"],
        role=row["role"],
        difference=f"{change(row['difference'])}\N{NO-BREAK SPACE}{unit}" if known else "undefined",
        low_high=interval(limits).strip(),
        p=chance(row["p_holm"]),
        detectable="–" if row["p"] is None else size(row["detectable_holm"]),
        verdict=row["verdict"] or ("not tested" if known else "undefined"),
        why=" ".join(_reasons(row, tests[row["role"] in CLAIMS])),
    )


def _reasons(row: Mapping, tests: int) -> Iterable[str]:
    """Why a verdict is what it is, where numbers beside it may look otherwise."""
    if row["note"]:
        yield f"{row['note'][0].upper()}{row['note'][1:]}."
    if not (row["verdict"] or "").startswith("too few"):
        return
    if row["low"] is not None and (row["low"] > 0 or row["high"] < 0):
        yield f"By itself its interval leaves out 0; among {count(tests)} comparisons that is not enough."
    alone, least = row["detectable"], row["detectable_holm"]
    if row["seeds"] and row["seeds"] > 1 and alone and least and least > UNSURE * alone:
        yield f"Seeds, not items, are the limit: {row['seeds']} of them hardly tell how much another one would differ."


def comparison_data(found: Sequence[Compared]) -> dict:
    """What the script of the page reads: lines as lists, texts that many share by their place in `texts`."""
    texts: dict[str, int] = {}

    def place(text: str) -> int:
        return texts.setdefault(text, len(texts))

    groups = [
        [
            [
                *map(place, (line.variant, line.other, line.measure, line.verdict, line.why)),
                int(line.role in CLAIMS),
                line.difference,
                line.low_high,
                line.p,
                line.detectable,
            ]
            for line in one.lines
        ]
        for one in found
    ]
    return {"groups": groups, "texts": list(texts)}
