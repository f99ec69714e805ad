"""Rows of the contract MASKS: a rule's weights, put behind their prompts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.stages.masking.blocks import Block

SCHEMA = contracts.MASKS.schema


def mask_rows(task: str, block: Block, weights: np.ndarray) -> pa.Table:
    """The rows of a block.

    Args:
        task: its id.
        block: the responses.
        weights: float32 [tokens], of their tokens.
    """
    sequences, scores, n = block.sequences.combine_chunks(), block.scores, block.sequences.num_rows
    input_ids = sequences["input_ids"].combine_chunks()
    ends = np.cumsum(input_ids.value_lengths().to_numpy())
    offsets = np.concatenate([[0], ends])
    first = offsets[:-1] + sequences["n_prompt"].to_numpy()
    flat = np.zeros(offsets[-1], np.float32)
    # 0 on the prompt, and on what the template puts after the end of turn
    flat[np.arange(scores.n_tokens) + scores.per_token(first - scores.starts[:-1])] = weights
    columns = {
        "task": pa.repeat(task, n),
        "source": pa.repeat(block.source, n),
        "example_id": sequences["example_id"],
        "sample": sequences["sample"],
        "input_ids": input_ids,
        "weights": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(flat)),
        "n_kept": scores.count(weights != 0),
        "n_response": scores.lengths,
    }
    return pa.table(
        {name: pa.array(column) if isinstance(column, np.ndarray) else column for name, column in columns.items()}
    ).cast(SCHEMA)


def usable(weights: np.ndarray, block: Block, rule: str) -> np.ndarray:
    """The weights of a block, refused where one of them cannot weigh a loss.

    Raises:
        UserError: one is negative, infinite or not a number; names its token.
    """
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        token = int(np.argmax(wrong))
        raise UserError(
            f"rule {rule}: the weight of {block.scores.name(token)} is {weights[token]:g}; weights are finite and at "
            "least 0: change the rule's settings"
        )
    return weights


def in_order(tables: Iterable[pa.Table], order: Mapping[str, int]) -> Iterator[pa.Table]:
    """All rows in one table, in the order of their examples. Args: tables of rows; the place of each example."""
    table = pa.concat_tables(tables)
    places = np.array([order[example_id] for example_id in table["example_id"].to_pylist()])
    yield table.take(pa.array(np.argsort(places)))


def in_background(write: Callable[[pa.Table], None], tables: Iterable[pa.Table]) -> None:
    """Write tables in their order, each in a thread while the next one is made: compressing takes most of the time."""
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(lambda: None)
        for table in tables:
            before.result()
            before = pool.submit(write, table)
        before.result()
