"""The tables of the analyses as the report shows them: a caption each, some numbers, and a figure where one helps."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from clearminds.files.reading import readable
from clearminds.report import analysis_figures as figures
from clearminds.report.figures import svg


@dataclass(frozen=True)
class Shown:
    """One analysis of one model and target.

    Attributes:
        title, caption: what it is, and how to read it.
        columns, rows: the numbers, as text.
        names: so many columns, the first ones, say what a row is of.
        svg: its figure, if it has one.
    """

    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1
    svg: str | None = None


@dataclass(frozen=True)
class Section:
    """All analyses of one model and target."""

    model: str
    target: str
    shown: Sequence[Shown]


def sections(tables: Iterable[dict], variants: Sequence[str]) -> list[Section]:
    """What the report shows of the tables.

    Args:
        tables: path, model, target and analysis of each.
        variants: in the order in which they are shown.
    """
    found: dict[tuple[str, str], list[Shown]] = {}
    for row in tables:
        path = Path(row["path"])
        with readable(path):
            frame = pl.read_parquet(path)
        if frame.height:
            key = row["model"], row["target"]
            found.setdefault(key, []).append(SHOWN[row["analysis"]](frame, variants))
    return [Section(*key, shown) for key, shown in found.items()]


def _in_order(frame: pl.DataFrame, variants: Sequence[str], column: str = "variant") -> pl.DataFrame:
    """The rows in the study's order of variants, and in their own within these."""
    places = {name: n for n, name in enumerate(variants)}
    return frame.sort(pl.col(column).replace_strict(places, default=len(places)), maintain_order=True)


def _of_draw(variant: str, draw: int | None) -> str:
    return variant if draw is None else f"{variant}, draw {draw}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _weight_change(frame: pl.DataFrame, variants: Sequence[str]) -> Shown:
    per_run = frame.group_by("variant", "seed", maintain_order=True).agg(
        norm=pl.col("norm").pow(2).sum().sqrt(), largest=pl.col("largest").max(), rank=pl.col("effective_rank").mean()
    )
    means = per_run.group_by("variant", maintain_order=True).agg(pl.col("norm", "largest", "rank").mean())
    rows = [(name, *map(_number, values)) for name, *values in _in_order(means, variants).iter_rows()]
    return Shown(
        "Weight change",
        "Frobenius norm and effective rank (exp of the entropy of the singular values' shares) of what training added "
        "to each matrix: by layer, the norm over its matrices and their mean rank; in the table, the norm over all "
        "matrices, the largest singular value of any, and the mean rank. Means over seeds.",
        ("variant", "norm", "largest singular value", "effective rank"),
        rows,
        svg=svg(figures.weight_change(frame, variants)),
    )


def _masks(frame: pl.DataFrame, variants: Sequence[str]) -> Shown:
    total = pl.col("tokens").sum().over("variant", "draw")
    shares = _in_order(frame.with_columns(of_all=pl.col("masked") / total), variants)
    columns = shares.select("variant", "draw", "class", "tokens", "masked", "of_all")
    rows = [
        (_of_draw(variant, draw), name, f"{tokens:,}", _percent(masked / tokens), _percent(of_all))
        for variant, draw, name, tokens, masked, of_all in columns.iter_rows()
    ]
    return Shown(
        "Masked tokens by class",
        "Response tokens whose weight is 0, by what they are. A token is of the first class that its text fits; blanks "
        "alone and mixtures are other.",
        ("variant", "class", "tokens", "masked of the class", "masked, of all tokens"),
        rows,
        names=2,
        svg=svg(figures.masked_classes(shares, variants)),
    )


def _agreement(frame: pl.DataFrame, variants: Sequence[str]) -> Shown:
    measures = ("jaccard", "equal", "kappa")
    rows = [
        (
            _of_draw(row["variant"], row["draw"]),
            _of_draw(row["other"], row["other_draw"]),
            f"{row['tokens']:,}",
            *(_number(row[name]) for name in measures),
        )
        for row in _in_order(frame, variants).iter_rows(named=True)
    ]
    return Shown(
        "Agreement of masks",
        "Pairs of variants that train on the same responses, token by token: the Jaccard index of the masked tokens, "
        "the share of equal decisions, and Cohen's kappa, which is 0 where they agree as often as by chance.",
        ("variant", "other", "tokens", "Jaccard", "equal", "kappa"),
        rows,
        names=2,
    )


def _nll(frame: pl.DataFrame, variants: Sequence[str]) -> Shown:
    limits = frame.filter(pl.col("cut") == "perplexity")
    columns = limits.select("source", "perplexity", "token_share", "nll_share")
    rows = [
        (source, f"> {limit:g}", _percent(tokens), _percent(nll)) for source, limit, tokens, nll in columns.iter_rows()
    ]
    return Shown(
        "Concentration of the loss",
        "The share of all negative log-likelihood under the base model that the tokens of the highest loss hold, over "
        "all scored responses of a source.",
        ("source", "perplexity", "share of tokens", "share of the loss"),
        rows,
        names=2,
        svg=svg(figures.concentration(frame)),
    )


def _convergence(frame: pl.DataFrame, variants: Sequence[str]) -> Shown:
    ends = (
        frame.sort("step")
        .group_by("variant", "seed")
        .agg(
            first=pl.col("loss").first(),
            least=pl.col("loss").min(),
            last=pl.col("loss").last(),
            steps=pl.col("step").last(),
        )
    )
    means = ends.group_by("variant").agg(pl.col("steps").max(), pl.col("first", "least", "last").mean())
    rows = [(name, *map(_number, values)) for name, *values in _in_order(means.sort("variant"), variants).iter_rows()]
    return Shown(
        "Convergence",
        "Mean loss per response token of the references of the split validation, which no variant trains on, in nats: "
        "all tokens count, whatever a variant masks. Means over seeds.",
        ("variant", "steps", "before", "least", "after"),
        rows,
        svg=svg(figures.convergence(frame, variants)),
    )


def _gradients(frame: pl.DataFrame, variants: Sequence[str]) -> Shown:
    shares = frame.with_columns(
        share=pl.when(pl.col("norm") > 0).then(pl.col("norm_above") / pl.col("norm")),
        of_tokens=pl.col("tokens_above") / pl.col("tokens"),
    )
    means = shares.group_by("source", "perplexity", maintain_order=True).agg(
        pl.col("of_tokens", "share", "cosine").mean(), batches=pl.len()
    )
    rows = [
        (source, f"> {limit:g}", f"{batches}", _percent(tokens), _percent(share), _number(cosine))
        for source, limit, tokens, share, cosine, batches in means.iter_rows()
    ]
    return Shown(
        "Gradient of tokens of high perplexity",
        "At the base, before any step: the norm of the part of a batch's gradient that tokens above a perplexity give, "
        "over the norm of the whole. Parts add as vectors, so that their norms do not: the cosine is between the part "
        "of the tokens above and that of all others. Means over batches of the first examples.",
        ("source", "perplexity", "batches", "share of tokens", "norm, of the whole", "cosine"),
        rows,
        names=2,
        svg=svg(figures.gradients(shares)),
    )


def _self_bleu(frame: pl.DataFrame, variants: Sequence[str]) -> Shown:
    columns = _in_order(frame, variants).select("variant", "responses", "distinct", "self_bleu")
    rows = [(name, f"{n:,}", f"{distinct:,}", _number(bleu)) for name, n, distinct, bleu in columns.iter_rows()]
    return Shown(
        "Self-BLEU of the training responses",
        "The mean BLEU-4 of each response against all others of its variant: 100 where each is a copy of another one, "
        "low where they differ.",
        ("variant", "responses", "distinct", "self-BLEU"),
        rows,
    )


SHOWN: dict[str, Callable[[pl.DataFrame, Sequence[str]], Shown]] = {
    "weight_change": _weight_change,
    "masks": _masks,
    "agreement": _agreement,
    "nll": _nll,
    "convergence": _convergence,
    "gradients": _gradients,
    "self_bleu": _self_bleu,
}
