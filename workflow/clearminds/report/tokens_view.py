"""Training examples token by token: how surprising each is to the base model, and what each variant does with it.

A sample of the examples goes into the page, as many as fit a budget of bytes. The thresholds of the slider are a list,
and each token says from which one on it is kept: the page then compares whole numbers and never logarithms, and its
counts are those of a mask at that threshold.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl

from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table
from clearminds.report.embedded import embedded

BUDGET = 2_000_000  # bytes of the page, for all examples together
MOST = 150  # examples, though more would fit
MANTISSAS = (1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)
DECADES = 4
BINS = (1.2, 1.5, 2.5, 5, 10, 100)  # upper limits of the colours; the last one is open
RESPONSE = ["source", "example_id", "sample"]
DIGITS = 4


@dataclass(frozen=True)
class TokensView:
    """The examples of one model and target.

    Attributes:
        model, target: what they are of.
        examples: there are, in the study.
        sources: per source `name`, `tokens` (all scored ones) and `kept`, how many of them each threshold keeps.
        variants: names, in the order of the weights of an example.
        shown: the sample, as the page's script reads it.
    """

    model: str
    target: str
    examples: int
    sources: list[dict]
    variants: list[str]
    shown: list[dict] = field(default_factory=list)


def thresholds(own: Sequence[float] = ()) -> list[float]:
    """The positions of the slider: from 1 to 10,000, and the study's own. A last one, no limit, is implied."""
    grid = {float(f"{m * 10**n:g}") for n in range(DECADES) for m in MANTISSAS} | {10.0**DECADES}
    return sorted(grid | {tau for tau in own if tau >= 1})


def views(
    masks: Sequence[Mapping],
    scores: Sequence[Mapping],
    sequences: Sequence[Mapping],
    examples: Mapping[str, str],
    taus: Sequence[float],
    budget: int = BUDGET,
) -> list[TokensView]:
    """One view per model and target of which there are masks, and scores of what these are of.

    Args:
        masks: per file `path`, `model`, `target`, `variant` and `draw`; of a rule that draws at random the first draw
            is shown.
        scores, sequences: per file `path`, `model`, `target`, `source`.
        examples: target -> path of its training examples.
        taus: of `thresholds`.
        budget: bytes for all views together.
    """
    groups: dict[tuple[str, str], dict[str, Path]] = {}
    for mask in masks:
        groups.setdefault((mask["model"], mask["target"]), {}).setdefault(mask["variant"], Path(mask["path"]))
    found = []
    for (model, target), files in groups.items():
        own, lengths = (
            {row["source"]: Path(row["path"]) for row in rows if (row["model"], row["target"]) == (model, target)}
            for rows in (scores, sequences)
        )
        if own and lengths and target in examples:
            read = _Files(target, files, own, lengths, Path(examples[target]))
            found.append(_view(model, read, taus, budget // len(groups)))
    return [view for view in found if view.shown]


@dataclass(frozen=True)
class _Files:
    target: str
    masks: dict[str, Path]
    scores: dict[str, Path]
    sequences: dict[str, Path]
    examples: Path

    def paths(self) -> list[Path]:
        return [*self.masks.values(), *self.scores.values(), *self.sequences.values(), self.examples]


def _view(model: str, files: _Files, taus: Sequence[float], budget: int) -> TokensView:
    with readable(*files.paths()):
        names = scan_table(next(iter(files.masks.values())), contracts.MASKS).filter(task=files.target)
        ids = names.select("example_id").unique().collect()["example_id"].to_list()
        chosen = sorted(ids, key=lambda name: sha256(name.encode()).digest())[:MOST]
        view = TokensView(model, files.target, len(ids), _sources(files, taus), list(files.masks))
        turns = _turns(files.examples, chosen)
        rows = _rows(files, chosen)
        tokens = _tokens(files, rows, taus)
    used = 0
    for name in chosen:
        example = {"id": name, "turns": turns.get(name, []), **_example(rows.get(name, {}), tokens, view.variants)}
        if not example["responses"]:  # those that it is trained on have no scores here
            continue
        used += len(embedded(example).encode())
        if view.shown and used > budget:
            break
        view.shown.append(example)
    return view


def _sources(files: _Files, taus: Sequence[float]) -> list[dict]:
    """Per source, how many of all its scored tokens each threshold keeps: float64(-logprob) <= ln(tau)."""
    loss = -pl.col("logprob").cast(pl.Float64)
    kept = [(loss <= math.log(tau)).sum().alias(str(n)) for n, tau in enumerate(taus)]
    found = []
    for source, path in files.scores.items():
        total, *counts = (
            scan_table(path, contracts.TOKEN_SCORES).select(pl.len(), *kept).collect(engine="streaming").row(0)
        )
        found.append({"name": source, "tokens": total, "kept": counts})
    return found


def _turns(path: Path, chosen: Sequence[str]) -> dict[str, list]:
    rows = scan_table(path, contracts.EXAMPLES).select("example_id", "messages")
    found = rows.filter(pl.col("example_id").is_in(chosen)).collect()
    return {name: [[turn["role"], turn["content"]] for turn in said] for name, said in found.iter_rows()}


def _rows(files: _Files, chosen: Sequence[str]) -> dict[str, dict[str, dict]]:
    """The rows of masks: example -> variant -> source, sample and the weights of its response's tokens."""
    prompts = pl.concat(
        scan_table(path, contracts.SEQUENCES)
        .filter(pl.col("example_id").is_in(chosen))
        .select("example_id", "sample", "n_prompt", source=pl.lit(source))
        for source, path in files.sequences.items()
    )
    found: dict[str, dict[str, dict]] = {}
    for variant, path in files.masks.items():
        rows = (
            scan_table(path, contracts.MASKS)
            .filter(pl.col("example_id").is_in(chosen), pl.col("task") == files.target)
            .join(prompts, on=RESPONSE)
            .select(*RESPONSE, weights=pl.col("weights").list.slice(pl.col("n_prompt"), pl.col("n_response")))
            .collect()
        )
        for row in rows.iter_rows(named=True):
            found.setdefault(row["example_id"], {})[variant] = row
    return found


def _tokens(files: _Files, rows_of: Mapping[str, Mapping], taus: Sequence[float]) -> dict[tuple, dict]:
    """The tokens of responses that masks are of: (source, example, sample) -> lists of the same length."""
    trained = pl.DataFrame(
        [[row[key] for key in RESPONSE] for rows in rows_of.values() for row in rows.values()],
        schema={"source": pl.String, "example_id": pl.String, "sample": pl.Int16},
        orient="row",
    )
    limits = np.array([math.log(tau) for tau in taus])
    found: dict[tuple, dict] = {}
    for source, path in files.scores.items():
        columns = ("example_id", "sample", "position", "token", "logprob", "entropy", "rank")
        own_rows = trained.filter(source=source).unique().lazy()
        rows = scan_table(path, contracts.TOKEN_SCORES).select(columns).join(own_rows, on=RESPONSE[1:], how="semi")
        for (example, sample), own in rows.collect().partition_by("example_id", "sample", as_dict=True).items():
            own = own.sort("position")
            loss = -own["logprob"].cast(pl.Float64).to_numpy()
            found[source, example, sample] = {
                "tokens": own["token"].fill_null("").to_list(),
                "ppl": [_short(math.exp(min(value, 700.0))) for value in loss],
                "step": np.searchsorted(limits, loss, side="left").tolist(),
                "entropy": [_short(value) for value in own["entropy"].cast(pl.Float64).to_list()],
                "rank": own["rank"].to_list(),
            }
    return found


def _example(rows: Mapping[str, Mapping], tokens: Mapping[tuple, Mapping], variants: Sequence[str]) -> dict:
    """The responses of an example, each once, and per variant the place of its response with its weights."""
    responses: list[dict] = []
    places: dict[tuple, int] = {}
    weights: list = []
    for variant in variants:
        row = rows.get(variant)
        key: tuple = (row["source"], row["example_id"], row["sample"]) if row else ()
        if row is None or key not in tokens:
            weights.append(None)
            continue
        if key not in places:
            places[key] = len(responses)
            responses.append({"source": key[0], "sample": key[2], **tokens[key]})
        weights.append([places[key], _packed(row["weights"])])
    return {"responses": responses, "weights": weights}


def _packed(weights: Sequence[float]) -> str | list[float | None]:
    """Weights of 0 and 1 as a text of digits, which is a fraction of a list's size; others rounded."""
    if all(value in (0.0, 1.0) for value in weights):
        return "".join(str(int(value)) for value in weights)
    return [_short(value) for value in weights]


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")


def colour(perplexity: float) -> int:
    """The number of a token's colour, 0 for the least surprising."""
    return sum(perplexity > limit for limit in BINS)


def kept(response: Mapping, step: int) -> int:
    """How many tokens of a response the threshold at a place of the slider keeps."""
    return sum(own <= step for own in response["step"])
