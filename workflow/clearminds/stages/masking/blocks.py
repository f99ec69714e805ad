"""The chosen responses of a variant in blocks: their token ids, and their scores as the rules read them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from clearminds.errors import UserError
from clearminds.files.reading import batches
from clearminds.plugins.scores import BASE, Scores
from clearminds.stages.masking.columns import KEYS, BlockColumns, ScoreFile, keys_of
from clearminds.stages.select_examples import Choice, SourceTables

RESPONSES = 1024  # of a block


@dataclass(frozen=True)
class Block:
    """Some responses of one source.

    Attributes:
        source: its name.
        sequences: their rows of the contract SEQUENCES.
        scores: of their tokens.
    """

    source: str
    sequences: pa.Table
    scores: Scores


@dataclass(frozen=True)
class ChosenResponses:
    """The responses that a variant trains on, block by block; they can be gone through any number of times.

    Args:
        tables: of the sources of `chosen`, by name.
        chosen: the response per example.
        draw: seed of a rule that draws at random, if any does.
        others: by model and source, the scores of models other than the one that is trained.
    """

    tables: Mapping[str, SourceTables]
    chosen: Mapping[str, Choice]
    draw: int | None = None
    others: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)

    @property
    def sources(self) -> list[str]:
        """The sources that any is of."""
        return list(dict.fromkeys(choice.source for choice in self.chosen.values()))

    def __iter__(self) -> Iterator[Scores]:
        return (block.scores for block in self.blocks())

    def blocks(self) -> Iterator[Block]:
        """The blocks, source after source, each in the order of its tables.

        Raises:
            UserError: the rows of a source's scores are not those of its sequences.
        """
        for source in self.sources:
            yield from self._of(source)

    def _of(self, source: str) -> Iterator[Block]:
        tables, first = self.tables[source], 0
        samples = {example: choice.sample for example, choice in self.chosen.items() if choice.source == source}
        file = ScoreFile(tables.scores)
        others = {scorer: ScoreFile(paths[source]) for scorer, paths in self.others.items()}
        for batch in batches(tables.sequences, RESPONSES):
            starts = _same_responses(file, tables.sequences, batch, first)
            first += batch.num_rows
            chosen = [samples.get(example, -1) for example in batch["example_id"].to_pylist()]
            wanted = batch["sample"].to_numpy() == np.array(chosen)
            if wanted.any():
                block = _block(source, file, batch, starts, wanted, self.draw)
                yield _with_others(block, others) if others else block


def _block(
    source: str,
    file: ScoreFile,
    batch: pa.RecordBatch,
    starts: np.ndarray,
    wanted: np.ndarray,
    draw: int | None,
) -> Block:
    lengths = np.diff(starts)
    kept = None if wanted.all() else np.repeat(wanted, lengths)
    columns = BlockColumns(file, int(starts[0]), int(starts[-1]), kept)
    own = np.concatenate([[0], np.cumsum(lengths[wanted])])
    sequences = pa.Table.from_batches([batch])
    if kept is not None:
        sequences = sequences.filter(pa.array(wanted))
    return Block(source, sequences, Scores({BASE: columns}, own, keys_of(sequences), draw))


def _with_others(block: Block, files: Mapping[str, ScoreFile]) -> Block:
    scores = block.scores
    columns = {scorer: _same_tokens(file, scorer, scores) for scorer, file in files.items()}
    return replace(block, scores=replace(scores, tables={**scores.tables, **columns}))


def _same_tokens(file: ScoreFile, scorer: str, scores: Scores) -> BlockColumns:
    """Another model's columns of the same responses."""
    for key in scores.keys:
        if key not in file.numbers:
            raise UserError(
                f"{file.path}: {scorer} did not score example {key[0]}, sample {key[1]}, which is trained on; lower "
                f"training: max_length to what {scorer} can take, or take another scorer"
            )
    rows = np.array([file.numbers[key] for key in scores.keys])
    starts = file.starts[rows[0] : rows[-1] + 2]
    if (np.diff(rows) > 0).all():  # both tables are in the order of the responses
        wanted = np.zeros(rows[-1] + 1 - rows[0], bool)
        wanted[rows - rows[0]] = True
        found = BlockColumns(file, int(starts[0]), int(starts[-1]), np.repeat(wanted, np.diff(starts)))
        if np.array_equal(found["token_id"], scores.tables[BASE]["token_id"]):
            return found
    raise UserError(f"{file.path}: rows are not of the tokens that are trained on; delete it and run again")


def _same_responses(file: ScoreFile, sequences: Path, batch: pa.RecordBatch, first: int) -> np.ndarray:
    """Where the scores of some sequences begin, and where the last one's end. Args: number of the first sequence."""
    last, own = first + batch.num_rows, pa.Table.from_batches([batch]).select(KEYS)
    if last < len(file.starts) and file.starts[0] == 0 and file.responses(first, last).equals(own):
        return file.starts[first : last + 1]
    raise UserError(f"{file.path}: rows do not follow {sequences}; delete both and run again")
