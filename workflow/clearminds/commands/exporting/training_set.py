"""Masks as a Hugging Face data set that other trainers read: token ids, labels and weights."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

IGNORED = -100  # the label that cross-entropy leaves out, in PyTorch and so everywhere
SCHEMA = pa.schema(
    [
        ("input_ids", pa.list_(pa.int32())),
        ("attention_mask", pa.list_(pa.int8())),
        ("labels", pa.list_(pa.int32())),  # not shifted: models do that themselves
        ("weights", pa.list_(pa.float32())),
    ]
)
LABELLED = ["input_ids", "attention_mask", "labels"]  # the columns of tools that refuse any other


def training_set(masks: pa.Table) -> pa.Table:
    """A row per example, as `SCHEMA` has them, in the order of the masks.

    Args:
        masks: of the contract MASKS.

    Returns:
        `labels` are the token ids where the weight is above 0, and elsewhere -100.
    """
    rows = (_labelled(batch) for batch in masks.to_batches())
    return pa.Table.from_batches(rows, schema=SCHEMA)


def save(rows: pa.Table, folder: Path, fingerprint: str) -> None:
    """Write `dataset/`, for `datasets.load_from_disk`, and `labels.parquet`, without the weights.

    Args:
        rows: of `training_set`.
        folder: where to.
        fingerprint: of the rows, in hexadecimal; the library would draw one at random.
    """
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset(datasets.table.InMemoryTable(rows), fingerprint=fingerprint[:16]).save_to_disk(folder / "dataset")
    pq.write_table(rows.select(LABELLED), folder / "labels.parquet", compression="zstd")


def counts(masks: pa.Table) -> dict[str, int | bool]:
    """What a card tells of a training set. Args: masks: of the contract MASKS.

    Returns:
        `examples`, `unlabelled` ones, `tokens`, those of a `response`, `labelled` ones, and whether weights are
        `binary`, 0 or 1 throughout.
    """
    weights = pc.list_flatten(masks["weights"])
    return {
        "examples": len(masks),
        "unlabelled": _sum(pc.equal(masks["n_kept"], 0)),
        "tokens": len(weights),
        "response": _sum(masks["n_response"]),
        "labelled": _sum(pc.greater(weights, 0)),
        "binary": _sum(pc.is_in(weights, pa.array([0, 1], pa.float32()))) == len(weights),
    }


def _sum(values: pa.ChunkedArray) -> int:
    return pc.sum(values).as_py() or 0


def _labelled(batch: pa.RecordBatch) -> pa.RecordBatch:
    ids, weights = pc.list_flatten(batch["input_ids"]), pc.list_flatten(batch["weights"])
    ends = pc.cumulative_sum(pc.list_value_length(batch["input_ids"]))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    labels = pc.if_else(pc.greater(weights, 0), ids, pa.scalar(IGNORED, pa.int32()))
    ones = pa.repeat(pa.scalar(1, pa.int8()), len(ids))
    columns = [pa.ListArray.from_arrays(offsets, values) for values in (ids, ones, labels, weights)]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
