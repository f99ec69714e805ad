"""A damaged table is named, with what to do, by whatever reads it: Arrow or Polars, a whole table or a few columns."""

import errno

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.reading import batches, readable
from clearminds.files.tables import read_table, write_table
from clearminds.report import figures
from clearminds.report.samples import sample_responses
from clearminds.report.token_counts import counts_table
from clearminds.stages.masking.blocks import ChosenResponses
from clearminds.stages.masking.columns import ScoreFile
from clearminds.stages.select_examples import Choice, SourceTables, candidates
from clearminds.stages.summarise import summarise


def row(schema: pa.Schema) -> dict:
    values = {"string": "x" * 99, "float": -1.0, "double": 1.0, "int32": 1, "int16": 1, "halffloat": 1.0}
    return {field.name: values.get(str(field.type)) for field in schema}


def cut(content: bytes) -> bytes:
    return content[:-9]


def overwritten(content: bytes) -> bytes:
    """As a bad disk leaves it: the footer is whole, the pages are not."""
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return content[:4] + b"\xff" * (end - 4) + content[end:]


def empty(content: bytes) -> bytes:
    return b""


@pytest.fixture
def tables(tmp_path):
    """One table of each contract, and what the rows of a source are read from."""
    found = {}
    for contract in (contracts.TOKEN_SCORES, contracts.SEQUENCES, contracts.VERDICTS, contracts.MASKS):
        found[contract.name] = tmp_path / f"{contract.name}.parquet"
        write_table(found[contract.name], [row(contract.schema)] * 50, contract, {"tokenizer": "t"})
    found["EVALUATION"] = tmp_path / "EVALUATION.parquet"
    items = [{**row(contracts.EVALUATION.schema), "eval_task": "t", "metric": "m", "filter": "f"}]
    write_table(found["EVALUATION"], items * 50, contracts.EVALUATION, {})
    return found


def source(tables):
    return SourceTables(tables["VERDICTS"], tables["SEQUENCES"], tables["TOKEN_SCORES"])


def masks(tables):
    return list(ChosenResponses({"own": source(tables)}, {"x": Choice("own", 1)}))


TASK = {"t": {"evaluate": "accuracy", "metric": "m", "filter": "f"}}
BASE = {"model": "m", "target": None, "variant": "base", "seed": None, "suite": "s"}
OWN = row(contracts.MASKS.schema)["task"]
RUN = {"model": "m", "target": "t", "variant": "v", "seed": 0, "suite": "s"}
READERS = {
    "token scores by response": ("TOKEN_SCORES", lambda t: ScoreFile(t["TOKEN_SCORES"]).starts),
    "a column of token scores": ("TOKEN_SCORES", lambda t: ScoreFile(t["TOKEN_SCORES"]).read("logprob", 0, 50)),
    "sequences beside scores": ("SEQUENCES", masks),
    "scores beside sequences": ("TOKEN_SCORES", masks),
    "candidates, their scores": ("TOKEN_SCORES", lambda t: candidates(source(t), 9)),
    "candidates, their lengths": ("SEQUENCES", lambda t: candidates(source(t), 9)),
    "candidates, their verdicts": ("VERDICTS", lambda t: candidates(source(t), 9)),
    "a whole table": ("MASKS", lambda t: read_table(t["MASKS"], contracts.MASKS)),
    "counts of masks": ("MASKS", lambda t: counts_table([{**RUN, "target": OWN, "draw": None, "path": t["MASKS"]}])),
    "bins of perplexity": ("TOKEN_SCORES", lambda t: figures.perplexity_bins([("own", t["TOKEN_SCORES"])])),
    "counts of perplexity": ("TOKEN_SCORES", lambda t: figures.perplexity_counts([("own", t["TOKEN_SCORES"])], 2.5)),
    "samples of answers": ("EVALUATION", lambda t: sample_responses([{**RUN, "path": t["EVALUATION"]}], TASK)),
    "results": ("EVALUATION", lambda t: summarise([{**run, "path": t["EVALUATION"]} for run in (BASE, RUN)], TASK)),
}


@pytest.mark.parametrize("damage", [cut, overwritten, empty])
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_names_the_damaged_file_and_the_remedy(tables, reader, damage):
    name, read = READERS[reader]
    tables[name].write_bytes(damage(tables[name].read_bytes()))
    with pytest.raises(UserError) as caught:
        read(tables)
    message = str(caught.value)
    assert message.startswith(f"{tables[name]}: damaged, or no Parquet file (")
    assert message.endswith("); delete it and run again")
    assert "\n" not in message


def test_of_many_files_the_damaged_one_is_named(tables):
    tables["MASKS"].write_bytes(overwritten(tables["MASKS"].read_bytes()))
    with pytest.raises(UserError, match=f"^{tables['MASKS']}: damaged"), readable(*tables.values()):
        pl.collect_all([pl.scan_parquet(path) for path in tables.values()])


def test_a_missing_table_is_named(tmp_path):
    for read in (lambda path: list(batches(path, 9)), lambda path: pl.scan_parquet(path).collect()):
        path = tmp_path / "none.parquet"
        with pytest.raises(UserError, match=r"none\.parquet: no such file; run the workflow again"), readable(path):
            read(path)


def test_errors_that_are_not_of_reading_stay_what_they_are(tables):
    with pytest.raises(OSError, match="full") as caught, readable(tables["MASKS"]):
        raise OSError(errno.ENOSPC, "full")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(pl.exceptions.ComputeError), readable(tables["MASKS"]):
        raise pl.exceptions.ComputeError("a fault of ours")
    with pytest.raises(KeyError), readable(tables["MASKS"]):
        raise KeyError("x")


def test_batches_are_all_rows_in_order(tmp_path):
    pq.write_table(pa.table({"n": range(10)}), tmp_path / "n.parquet", row_group_size=4)
    found = list(batches(tmp_path / "n.parquet", 3))
    assert max(map(len, found)) <= 3
    assert [n for batch in found for n in batch["n"].to_pylist()] == list(range(10))
