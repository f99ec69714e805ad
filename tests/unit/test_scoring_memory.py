"""A scoring job holds some bytes a token of its table, a shard less: the rest lies on disk until it is asked for."""

import tracemalloc
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pytest

from clearminds.errors import UserError
from clearminds.files import contracts, row_groups
from clearminds.files.contracts import STATISTICS
from clearminds.files.row_groups import in_groups, write_pieces
from clearminds.files.tables import read_table, write_table
from clearminds.model.encode_responses import Sequence
from clearminds.model.encoded import Encoded
from clearminds.model.loading import Loading
from clearminds.model.spooled import SpooledIds
from clearminds.reuse.store import key_of
from clearminds.stages.score_token_perplexity import Runtime, Settings, score_store, score_through
from clearminds.stages.scoring import spool as spools
from clearminds.stages.scoring.spool import spooled
from clearminds.stages.scoring.stored import TYPES, found_in

PROMPT, RESPONSE, TEXT = 40, 400, "A few words, that are repeated. " * 70
RUNTIME = Runtime(store="", batch_tokens=4096, part_seconds=60)


def made_up(count):
    """Sequences made one at a time, of different prompts and lengths."""
    rng = np.random.default_rng(0)
    for n in range(count):
        response = RESPONSE + n % 7
        starts = [*range(300, 300 + 4 * response, 4)]
        ids = rng.integers(300, 50_000, PROMPT + response + 1).tolist()
        encoded = Encoded(f"{n} {TEXT}", ids, PROMPT, response, [(start, start + 4) for start in starts])
        yield Sequence(f"example-{n:06d}", n % 3, encoded)


def scores_of(sequence):
    """Made-up statistics, by which a sequence's own can be told."""
    values = np.arange(sequence.encoded.n_response) + int(sequence.example_id[-6:])
    return {name: values.astype(kind) for name, kind in TYPES.items()}


def key(encoded):
    return key_of([encoded.input_ids, encoded.n_prompt, encoded.n_response])


def full_store(folder, count):
    store = score_store(folder, "weights", Settings("float32", Loading()))
    rows = [{"key": key(one.encoded), **scores_of(one)} for one in made_up(count)]
    for some in (rows[::2], rows[1::2]):
        store.add(pa.Table.from_pylist(some, schema=store.schema))
    return store


def job(store, folder, count, shard):
    with spooled(made_up(count), folder, texts=not shard) as spool:
        statistics, _, _ = score_through(store, None, spool.encoded, RUNTIME, shard)
        if not shard:
            write_pieces(folder / "sequences.parquet", spool.sequence_rows(), contracts.SEQUENCES, {})
            write_pieces(folder / "scores.parquet", spool.score_rows(statistics), contracts.TOKEN_SCORES, {})


@pytest.mark.parametrize(("shard", "limit"), [("", 40), ("1of4", 6)])
def test_memory_grows_by_few_bytes_a_token(tmp_path, monkeypatch, shard, limit):
    monkeypatch.setattr(spools, "TOKENS", 2**11)
    monkeypatch.setattr(row_groups, "ROWS", 2**12)
    peaks = []
    for count in (30, 150):
        store = full_store(tmp_path / str(count), count)
        tracemalloc.start()
        job(store, tmp_path, count, shard)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / (120 * RESPONSE) < limit


def test_a_table_out_of_the_store_has_each_sequence_s_own_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(spools, "TOKENS", 1000)
    job(full_store(tmp_path / "store", 9), tmp_path, 9, "")
    found = read_table(tmp_path / "scores.parquet", contracts.TOKEN_SCORES)
    expected = [
        {"example_id": one.example_id, "sample": one.sample, "position": n, "token_id": token, "token": text}
        | {"char_start": start, "char_end": end}
        for one in made_up(9)
        for n, (token, (start, end)) in enumerate(zip(one.encoded.response_ids, one.encoded.spans, strict=True))
        for text in [one.encoded.text[start:end]]
    ]
    assert found.select(contracts.TOKEN_SCORES.schema.names[:7]).to_pylist() == expected
    for name in STATISTICS:
        values = np.concatenate([scores_of(one)[name] for one in made_up(9)])
        np.testing.assert_array_equal(found[name].to_numpy(), values)
    kept = read_table(tmp_path / "sequences.parquet", contracts.SEQUENCES)
    assert kept["input_ids"].to_pylist() == [one.encoded.input_ids for one in made_up(9)]
    assert {path.name for path in tmp_path.iterdir()} == {"scores.parquet", "sequences.parquet", "store"}


def test_equal_conversations_have_the_same_scores(tmp_path):
    store, [first, second] = full_store(tmp_path, 2), made_up(2)
    keys = [key(one.encoded) for one in (second, first, second)]
    found = found_in(store, keys, np.array([one.encoded.n_response for one in (second, first, second)]))
    assert found["rank"].to_pylist() == [scores_of(one)["rank"].tolist() for one in (second, first, second)]


def test_scores_that_are_removed_meanwhile_are_missed(tmp_path):
    store, [one] = score_store(tmp_path, "weights", Settings("float32", Loading())), made_up(1)
    with pytest.raises(UserError, match="scores of 1 sequences were removed while this job ran; run again"):
        found_in(store, [key(one.encoded)], np.array([one.encoded.n_response]))


def test_conversations_come_back_from_disk_as_they_were(tmp_path):
    with open(tmp_path / "ids", "w+b") as file:
        found = SpooledIds(file)
        for one in made_up(5):
            found.append(one.encoded)
        expected = [Encoded("", e.input_ids, e.n_prompt, e.n_response, []) for e in (s.encoded for s in made_up(5))]
        assert list(found) == expected
        assert found[1:4] == expected[1:4] and found[-1] == expected[-1]
        assert found.response_ids(1, 3).tolist() == expected[1].response_ids + expected[2].response_ids
        assert found.response_ids(2, 2).size == 0
        with pytest.raises(IndexError):
            found[5]


@pytest.mark.parametrize("rows", [0, 7, 8, 21])
def test_pieces_are_written_as_one_table_is(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(row_groups, "ROWS", 8)
    columns = {"example_id": [f"e{n}" for n in range(rows)], "sample": [0] * rows, "verdict": ["correct"] * rows}
    whole = pa.table({**columns, "detail": [str(n % 3) for n in range(rows)]}, schema=contracts.VERDICTS.schema)
    edges = [0, *accumulate([3, 5, 1, 9])]
    pieces = [whole.slice(start, end - start) for start, end in zip(edges, [*edges[1:], rows], strict=True)]
    assert sum(piece.num_rows for piece in pieces) >= rows
    write_pieces(tmp_path / "pieces", [p for p in pieces if p.num_rows], contracts.VERDICTS, {"a": 1})
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table.__defaults__", (8,))
    write_table(tmp_path / "whole", whole, contracts.VERDICTS, {"a": 1})
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()
    assert [t.num_rows for t in in_groups(pieces, 8, whole.schema)][:-1] == [8] * (max(rows - 1, 0) // 8)
