"""How surprising the model finds every token of a response: one forward pass over the templated conversation.

Token perplexity is exp(-log p(y_t | prompt, y_<t)), natural log; the first response token is conditioned on the prompt,
the end-of-turn token is the last one scored. Source: "Clear Minds Think Alike", arXiv 2501.14315.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from clearminds.files.contracts import STATISTICS
from clearminds.files.settings import as_keys, settings
from clearminds.model.encoded import Encoded
from clearminds.model.loading import Loading
from clearminds.progress import Progress
from clearminds.reuse.fill_store import fill
from clearminds.reuse.store import Store, key_of
from clearminds.stages.scoring.stored import TYPES, VALUES, found_in

if TYPE_CHECKING:  # the workflow reads `Settings` here, and needs no torch for it
    from clearminds.model.causal_model import CausalModel


@settings
class Settings:
    """What the scores depend on; never a threshold or a mask.

    Attributes:
        dtype: of the scorer's weights.
        loading: of the scorer.
        special_tokens: of the task, as of `Chat`.
    """

    dtype: str
    loading: Loading
    special_tokens: str | None = None


@settings
class Runtime:
    """How it runs.

    Attributes:
        store: folder of the stores.
        batch_tokens: most tokens of a forward pass.
        part_seconds: between two parts of the store: what a kill loses at most, beside the batch that runs.
    """

    store: str
    batch_tokens: int
    part_seconds: float


def score_store(folder: Path, scorer: str, settings: Settings) -> Store:
    """The store's namespace of a scorer.

    Args:
        folder: the store.
        scorer: fingerprint of its weights.
        settings: of the stage.
    """
    from clearminds.model.token_statistics import ARITHMETIC

    # what special tokens in texts are shows in the token ids
    about = {"scorer": scorer, "arithmetic": ARITHMETIC, **as_keys(replace(settings, special_tokens=None))}
    return Store(Path(folder) / "scores", about, VALUES)


def score_through(
    store: Store, model: Callable[[], CausalModel], encoded: Sequence[Encoded], runtime: Runtime, shard: str = ""
) -> tuple[pa.Table, Progress, dict[str, int]]:
    """Score the response tokens of each conversation, computing only what the store lacks.

    Args:
        store: from `score_store`.
        model: gives the causal language model in evaluation mode; called only if there is something to compute.
        encoded: the conversations, which may lie on disk: those of a batch are in memory at a time.
        runtime: sizes of batches and parts.
        shard: see `fill_store.fill`; only the progress and the counts are of use then.

    Returns:
        one row per conversation with a list per statistic, of one value per response token; the progress, which knows
        the rate over all tokens of the forward passes; and how many conversations were asked for, found and computed.

    Raises:
        UserError: what the store had is gone.
    """
    from clearminds.model.fitting import fitting, remember
    from clearminds.model.outlines import Outlines
    from clearminds.model.score_sequences import Scorer
    from clearminds.model.shared_prefixes import plan_prefixed, prefix_lengths
    from clearminds.model.throughput import device_name

    def device_of(network: CausalModel) -> str:
        return device_name(next(network.parameters()).device)

    fits = store.folder / "batch_tokens.json"
    scorer = cache(lambda: Scorer(network := model(), fitting(fits, device_of(network), runtime.batch_tokens)))
    keys = [key_of([e.input_ids, e.n_prompt, e.n_response]) for e in encoded]
    outlines = Outlines.of(encoded)
    prefixes = prefix_lengths(encoded, outlines)

    def compute(indices: list[int]) -> tuple[list[dict], int]:
        before = scorer().batch_tokens
        rows, tokens = scorer().score([encoded[n] for n in indices], [prefixes[n] for n in indices])
        if scorer().batch_tokens < before:
            remember(fits, device_of(model()), scorer().batch_tokens)
        return [_row(statistics) for statistics in rows], tokens

    def planner(indices: list[int]) -> list[list[int]]:
        some, own = outlines.take(indices), [prefixes[n] for n in indices]
        return [[indices[n] for n in batch] for batch in plan_prefixed(some, own, runtime.batch_tokens)]

    progress, counts = fill(
        store,
        keys,
        outlines.tokens.tolist(),
        compute,
        batch_tokens=runtime.batch_tokens,
        part_seconds=runtime.part_seconds,
        what="sequences",
        shard=shard,
        planner=planner,
    )
    return VALUES.empty_table() if shard else found_in(store, keys, outlines.n_response), progress, counts


def _row(statistics: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values.astype(TYPES[name]) for name, values in zip(STATISTICS, statistics.T, strict=True)}


def measure_noise(model: CausalModel, encoded: Sequence[Encoded], statistics: pa.Table, n: int = 16) -> dict:
    """How far log-probabilities move when sequences are scored alone instead of in batches (nats): mean and worst.

    Worth knowing below float32, where the arithmetic depends on the batch.
    """
    from clearminds.model.score_sequences import score

    alone, _ = score(model, encoded[:n], batch_tokens=1, share=False)
    batched = statistics["logprob"][:n].combine_chunks().flatten().to_numpy()
    difference = np.abs(np.concatenate([rows[:, 0] for rows in alone]) - batched)
    return {"mean": float(difference.mean()), "max": float(difference.max())}
