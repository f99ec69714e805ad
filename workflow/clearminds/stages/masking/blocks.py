"""The chosen responses of a variant in blocks: their token ids, and their scores as the rules read them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from clearminds.errors import UserError
from clearminds.files.reading import batches
from clearminds.plugins.scores import BASE, Scores
from clearminds.stages.masking.columns import BlockColumns, ScoreFile
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
    """

    tables: Mapping[str, SourceTables]
    chosen: Mapping[str, Choice]
    draw: int | None = None

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
        file = ScoreFile(tables.scores)
        for batch in batches(tables.sequences, RESPONSES):
            starts = _same_responses(file, tables.sequences, batch, first)
            first += batch.num_rows
            keys = _keys(batch)
            wanted = np.array([self.chosen.get(example) == Choice(source, sample) for example, sample in keys], bool)
            if wanted.any():
                yield _block(source, file, batch, keys, starts, wanted, self.draw)


def _block(
    source: str,
    file: ScoreFile,
    batch: pa.RecordBatch,
    keys: list[tuple[str, int]],
    starts: np.ndarray,
    wanted: np.ndarray,
    draw: int | None,
) -> Block:
    lengths = np.diff(starts)
    kept = None if wanted.all() else np.repeat(wanted, lengths)
    columns = BlockColumns(file, int(starts[0]), int(starts[-1]), kept)
    own = np.concatenate([[0], np.cumsum(lengths[wanted])])
    sequences = pa.Table.from_batches([batch]).filter(pa.array(wanted))
    chosen = [key for key, one in zip(keys, wanted, strict=True) if one]
    return Block(source, sequences, Scores({BASE: columns}, own, chosen, draw))


def _keys(batch: pa.RecordBatch) -> list[tuple[str, int]]:
    return list(zip(batch["example_id"].to_pylist(), batch["sample"].to_pylist(), strict=True))


def _same_responses(file: ScoreFile, sequences: Path, batch: pa.RecordBatch, first: int) -> np.ndarray:
    """Where the scores of some sequences begin, and where the last one's end. Args: number of the first sequence."""
    last = first + batch.num_rows
    if last < len(file.starts) and file.starts[0] == 0:
        starts = file.starts[first : last + 1]
        ids = file.read("example_id", int(starts[0]), int(starts[-1])).take(pa.array(starts[:-1] - starts[0]))
        samples = file.read("sample", int(starts[0]), int(starts[-1])).to_numpy()[starts[:-1] - starts[0]]
        if ids.to_pylist() == batch["example_id"].to_pylist() and samples.tolist() == batch["sample"].to_pylist():
            return starts
    raise UserError(f"{file.path}: rows do not follow {sequences}; delete both and run again")
