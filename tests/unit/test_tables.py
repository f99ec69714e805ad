"""Tables on disk: what is read is what was written, with its origin; anything else is refused, nothing half written."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearminds.checkout import WORKFLOW
from clearminds.errors import UserError
from clearminds.files import contracts, tables
from clearminds.files.digests import file_sha256
from clearminds.files.rows import Keyed, Rows
from clearminds.files.tables import (
    atomic_path,
    content_sha256,
    read_provenance,
    read_table,
    table_writer,
    write_json,
    write_table,
)

CONTRACTS = [value for value in vars(contracts).values() if isinstance(value, contracts.Contract)]
VALUES = {
    pa.string(): "text – \u0000 \U0001f600",
    pa.int16(): -(2**15),
    pa.int32(): 2**31 - 1,
    pa.int64(): -(2**63),
    pa.float16(): 0.5,
    pa.float32(): -1.5,
    pa.float64(): 0.1,
    pa.bool_(): True,
    pa.list_(pa.int32()): [1, 2],
    pa.list_(pa.float32()): [],
    pa.list_(pa.float64()): [0.1, 2.0],
    pa.list_(contracts.MESSAGE): [{"role": "user", "content": "é\r\n"}],
}
VERDICT = {"example_id": "a", "sample": 0, "verdict": "correct", "detail": ""}


def rows_of(contract: contracts.Contract) -> list[dict]:
    """A row with a value in every column, and one of nulls."""
    schema = contract.schema
    return [{field.name: VALUES[field.type] for field in schema}, {field.name: None for field in schema}]


@pytest.fixture
def verdicts(tmp_path) -> Path:
    file = tmp_path / "verdicts.parquet"
    write_table(file, [VERDICT], contracts.VERDICTS, {"stage": "verify_responses", "spec": {}, "code": "c"})
    return file


@pytest.mark.parametrize("contract", CONTRACTS)
def test_what_is_read_is_what_was_written(tmp_path, contract):
    file = tmp_path / "folder" / "table.parquet"
    write_table(file, rows_of(contract), contract, {})
    table = read_table(file, contract)
    assert table.schema.equals(contract.schema)
    assert table.to_pylist() == rows_of(contract)
    write_table(file, table, contract, {})
    assert read_table(file, contract).to_pylist() == rows_of(contract)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_table_without_rows_is_a_table(tmp_path, contract):
    write_table(tmp_path / "t.parquet", [], contract, {})
    assert read_table(tmp_path / "t.parquet", contract).schema.equals(contract.schema)


def test_every_contract_is_tested():
    assert [value for value in vars(contracts).values() if isinstance(value, pa.Schema)] == []
    assert all(getattr(contracts, contract.name) is contract for contract in CONTRACTS)


def test_a_file_tells_its_origin(verdicts):
    facts = read_provenance(verdicts)
    assert {
        "contract": "VERDICTS",
        "version": contracts.VERSION,
        "stage": "verify_responses",
    }.items() <= facts.items()
    assert (facts["spec"], facts["code"]) == ({}, "c")
    assert facts["libraries"]["pyarrow"] == pa.__version__


def test_facts_counted_while_writing_are_kept(tmp_path):
    with table_writer(tmp_path / "t.parquet", contracts.VERDICTS) as table:
        for _ in range(3):
            table.write([VERDICT])
        table.finish({"counts": {"rows": 3}})
    assert read_provenance(tmp_path / "t.parquet")["counts"] == {"rows": 3}
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == 3
    assert read_table(tmp_path / "t.parquet", contracts.VERDICTS).num_rows == 3


def test_a_table_without_its_facts_is_not_written(tmp_path):
    with (
        pytest.raises(RuntimeError, match="not finished"),
        table_writer(tmp_path / "t.parquet", contracts.VERDICTS) as table,
    ):
        table.write([VERDICT])
    assert not list(tmp_path.iterdir())


def test_equal_rows_and_facts_give_equal_bytes(verdicts, tmp_path):
    other = tmp_path / "other.parquet"
    write_table(other, [VERDICT], contracts.VERDICTS, {"code": "c", "spec": {}, "stage": "verify_responses"})
    assert other.read_bytes() == verdicts.read_bytes()


# --- refused ----------------------------------------------------------------------------------------------------------


def refusal(file: Path, contract: contracts.Contract = contracts.VERDICTS, **options: str) -> str:
    with pytest.raises(UserError) as caught:
        read_table(file, contract, **options)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    return message.removeprefix(f"{file}: ")


def test_another_contract_is_refused(verdicts):
    assert refusal(verdicts, contracts.MASKS) == (
        "holds VERDICTS version 1, but MASKS version 1 is needed; delete it and run the workflow again"
    )


def test_another_version_is_refused(verdicts, monkeypatch):
    monkeypatch.setattr(tables, "VERSION", contracts.VERSION + 1)
    assert refusal(verdicts) == (
        "holds VERDICTS version 1, but VERDICTS version 2 is needed; delete it and run the workflow again"
    )


def test_token_ids_of_another_tokenizer_are_refused(tmp_path):
    file = tmp_path / "masks.parquet"
    write_table(file, rows_of(contracts.MASKS), contracts.MASKS, {"tokenizer": "a" * 64})
    assert read_table(file, contracts.MASKS, tokenizer="a" * 64).num_rows == 2
    assert refusal(file, contracts.MASKS, tokenizer="b" * 64) == (
        "token ids are those of tokenizer aaaaaaaaaaaa, but the model's is bbbbbbbbbbbb; "
        "score the responses with the tokenizer of the model that is trained"
    )


def test_a_file_of_another_program_is_refused(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    message = "Parquet file without clearminds metadata; delete it and run the workflow again"
    assert refusal(tmp_path / "t.parquet") == message


@pytest.mark.parametrize("size", [0, 3, 100, -1])
def test_a_truncated_file_is_refused(verdicts, size):
    verdicts.write_bytes(verdicts.read_bytes()[:size])
    message = refusal(verdicts)
    assert message.startswith("damaged, or no Parquet file (")
    assert message.endswith("); delete it and run again")


def test_a_file_damaged_inside_is_refused(verdicts):
    content = bytearray(verdicts.read_bytes())
    content[4:60] = b"\xff" * 56
    verdicts.write_bytes(content)
    message = refusal(verdicts)
    assert message.startswith("damaged, or no Parquet file (")
    assert message.endswith("); delete it and run again")


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert refusal(tmp_path / "none.parquet") == "no such file; run the workflow again to make it"


# --- atomic -----------------------------------------------------------------------------------------------------------


def test_rows_that_do_not_fit_leave_the_old_file_and_no_other(verdicts):
    before = verdicts.read_bytes()
    with pytest.raises(pa.ArrowInvalid):
        write_table(verdicts, [VERDICT | {"sample": "many"}], contracts.VERDICTS, {})
    assert verdicts.read_bytes() == before
    assert list(verdicts.parent.iterdir()) == [verdicts]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_half_way_leaves_the_old_file_and_no_other(verdicts, error):
    before = verdicts.read_bytes()
    with pytest.raises(error), table_writer(verdicts, contracts.VERDICTS) as table:
        table.write([VERDICT] * 9)
        assert len(list(verdicts.parent.iterdir())) == 2
        raise error
    assert verdicts.read_bytes() == before
    assert list(verdicts.parent.iterdir()) == [verdicts]


def test_facts_that_are_not_json_leave_the_old_file_and_no_other(verdicts):
    before = verdicts.read_bytes()
    with pytest.raises(TypeError):
        write_table(verdicts, [VERDICT], contracts.VERDICTS, {"spec": {1, 2}})
    assert verdicts.read_bytes() == before
    assert list(verdicts.parent.iterdir()) == [verdicts]


def test_a_killed_writer_leaves_the_old_file(verdicts):
    before = verdicts.read_bytes()
    script = (
        f"import os, sys; sys.path.insert(0, {str(WORKFLOW)!r})\n"
        "from pathlib import Path\n"
        "from clearminds.files import contracts\n"
        "from clearminds.files.tables import table_writer\n"
        f"with table_writer(Path({str(verdicts)!r}), contracts.VERDICTS):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    assert verdicts.read_bytes() == before
    [left] = [file for file in verdicts.parent.iterdir() if file != verdicts]
    assert left.name.startswith(".")
    write_table(verdicts, [VERDICT], contracts.VERDICTS, {})
    assert read_table(verdicts, contracts.VERDICTS).num_rows == 1


def test_json_has_one_form(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": 1\n}\n'
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"a": "é", "b": 1}


def test_a_system_s_error_names_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / "a") as temporary:
        raise OSError(28, "No space left on device", str(temporary))
    assert caught.value.filename == str(tmp_path / "a")
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / "a"):
        raise OSError(2, "No such file or directory", "another")
    assert caught.value.filename == "another"


def test_content_is_the_rows_and_fingerprints_alone(tmp_path):
    rows = [{"example_id": "a", "sample": 0, "verdict": "correct", "detail": ""}]
    facts = {"code": "c", "spec": {"tau": "2"}, "counts": {"kept": 1}, "tokenizer": "t"}

    def content(rows=rows, **changed):
        path = tmp_path / "table.parquet"
        write_table(path, rows, contracts.VERDICTS, {**facts, **changed})
        return content_sha256(path)

    same = content()
    assert content(code="d", spec={}, counts={"kept": 2, "dropped": 9}) == same
    assert content(tokenizer="u") != same
    assert content([{**rows[0], "verdict": "incorrect"}]) != same
    assert content(rows * 2) != same


def test_content_of_other_files_is_all_of_them(tmp_path):
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    (tmp_path / "model.json").write_text("{}")
    (tmp_path / "none.parquet").write_bytes(b"no Parquet")
    for path in (foreign, tmp_path / "model.json", tmp_path / "none.parquet"):
        assert content_sha256(path) == file_sha256(path)


def test_rows_are_read_again_and_a_column_by_the_values_of_another(tmp_path):
    rows = [{"example_id": f"e{n}", "messages": [{"role": "user", "content": str(n)}]} for n in range(2500)]
    write_table(tmp_path / "examples.parquet", rows, contracts.EXAMPLES, {})
    found = Rows(tmp_path / "examples.parquet", contracts.EXAMPLES, ["example_id", "messages"])
    assert list(found) == list(found) == rows
    turns = Keyed(found, "example_id", "messages")
    assert dict(turns) == {row["example_id"]: row["messages"] for row in rows}
    assert "other" not in turns and len(turns) == 2500


def test_rows_of_no_table_are_none(tmp_path):
    write_table(tmp_path / "examples.parquet", [], contracts.EXAMPLES, {})
    found = Rows(tmp_path / "examples.parquet", contracts.EXAMPLES, ["example_id", "messages"])
    assert list(found) == [] and not Keyed(found, "example_id", "messages")
    with pytest.raises(UserError, match="holds EXAMPLES version 1, but RESPONSES"):
        Rows(tmp_path / "examples.parquet", contracts.RESPONSES, ["example_id"])
