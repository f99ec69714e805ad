"""What each variant gained on the target and kept elsewhere: one measure of each, as the tables of a study have it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.numbers import change, within
from clearminds.report.result_table import ResultTable

Limits = tuple[float, float]
CHANGE = "change of likelihood"  # what a target without TI has in its place


@dataclass(frozen=True)
class Measure:
    """One kind of change from the base, of every variant.

    Attributes:
        name: what the page calls it.
        changes: variant -> percent of the base's score, mean over seeds, and its 95 % interval; of those alone of which
            it is defined.
        verdicts: variant -> verdict of its comparison with the base.
        detectable: the smallest changes that are found, after the correction, of all variants.
    """

    name: str
    changes: Mapping[str, tuple[float, Limits | None]]
    verdicts: Mapping[str, str]
    detectable: list[float]

    def most(self) -> list[str]:
        """The variants of the largest change, compared as it is printed."""
        return self._at(max)

    def least(self) -> list[str]:
        """Those of the smallest one, likewise."""
        return self._at(min)

    def _at(self, end: Callable[[Iterable[float]], float]) -> list[str]:
        printed = {variant: float(change(value).replace(",", "")) for variant, (value, _) in self.changes.items()}
        return [variant for variant, value in printed.items() if value == end(printed.values())]


def gained(table: ResultTable, comparisons: pl.DataFrame) -> Measure:
    """On the target: TI, or of a target without one that is measured by likelihood the change of that.

    Args:
        table: of `result_table`.
        comparisons: of `files.summary`, with the base alone, of this model and target; may be empty.
    """
    found = {row.variant: (row.ti, row.ti_limits) for row in table.rows if row.variant != BASE and row.ti is not None}
    if found or not by_likelihood(table):
        return _measure("TI", found, comparisons.filter(pl.col("measure") == "TI"))
    return _compared(CHANGE, comparisons.filter(pl.col("measure") == table.target, pl.col("role") == "likelihood"))


def by_likelihood(table: ResultTable) -> bool:
    """Whether the target itself is measured, by likelihood alone."""
    return table.roles.get(table.target) == "likelihood" and "target" not in table.roles.values()


def kept(table: ResultTable, comparisons: pl.DataFrame) -> Measure:
    """On the other tasks: BWT. Args: as of `gained`."""
    found = {
        row.variant: (row.bwt, row.bwt_limits) for row in table.rows if row.variant != BASE and row.bwt is not None
    }
    return _measure("BWT", found, comparisons.filter(pl.col("measure") == "BWT"))


def remaining(comparisons: pl.DataFrame) -> Measure | None:
    """BWT over the tasks that a base score of 0 leaves; None where it leaves out none, or all. Args: as of `gained`."""
    rows = comparisons.filter(pl.col("role") == "bwt", pl.col("measure") != "BWT").drop_nulls("difference")
    return None if rows.is_empty() else _compared(rows["measure"][0], rows)


def _compared(name: str, rows: pl.DataFrame) -> Measure:
    """A measure that the result table has no interval of. Args: rows: of the comparisons."""
    known = rows.drop_nulls("difference")
    found = {
        variant: (value, within(None if low is None else (low, high)))
        for variant, value, low, high in known.select("variant", "difference", "low", "high").iter_rows()
    }
    return _measure(name, found, known)


def _measure(name: str, changes: Mapping[str, tuple[float, Limits | None]], rows: pl.DataFrame) -> Measure:
    verdicts = dict(rows.select("variant", "verdict").drop_nulls().iter_rows())
    return Measure(name, changes, verdicts, rows["detectable_holm"].drop_nulls().to_list())
