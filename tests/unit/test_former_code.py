"""What was stored under a fingerprint of the code, before arithmetics had version numbers, is found and left alone."""

import json

import pyarrow as pa
import pytest

from clearminds.commands import store_stats, store_verify
from clearminds.files.digests import digest
from clearminds.reuse.fill_store import fill
from clearminds.reuse.former_code import VERSIONS
from clearminds.reuse.store import Store, key_of

VALUES = pa.schema([("numbers", pa.list_(pa.float32()))])
ABOUT = {"scorer": "w", "dtype": "float32", "loading": {"trust_remote_code": False}}
CODES = list(VERSIONS)


def written(folder, items, **about):
    """A namespace with one part. Args: the folder of its kind; values by name; what is added to `ABOUT`."""
    store = Store(folder, {**ABOUT, **about}, VALUES)
    store.former = []
    rows = [{"key": key_of(name), "numbers": [value]} for name, value in items.items()]
    return store, store.add(pa.Table.from_pylist(rows, schema=store.schema))


def held(folder, names=range(9), **about):
    store = Store(folder, {**ABOUT, "arithmetic": 1, **about}, VALUES)
    by_key = {row["key"]: row["numbers"][0] for row in store.find([key_of(name) for name in names]).to_pylist()}
    return {name: by_key[key_of(name)] for name in names if key_of(name) in by_key}


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("code", CODES)
def test_what_a_former_code_computed_is_found(tmp_path, code):
    written(tmp_path, {1: 1.0}, code=code)
    assert held(tmp_path) == {1: 1.0}


def test_every_namespace_of_the_same_computation_is_read_and_no_other(tmp_path):
    for n, code in enumerate(CODES[:3]):
        written(tmp_path, {n: float(n)}, code=code)
    # a setting that is null was written down once, and means the same as none
    written(tmp_path, {3: 3.0}, code=CODES[0], loading={"trust_remote_code": False, "quantization": None})
    written(tmp_path, {4: 4.0}, code="0" * 32)
    written(tmp_path, {5: 5.0}, code=CODES[0], dtype="bfloat16")
    written(tmp_path, {6: 6.0}, code=CODES[0], backend="vllm")
    written(tmp_path, {7: 7.0})
    written(tmp_path, {8: 8.0}, arithmetic=2)
    assert held(tmp_path) == {n: float(n) for n in range(4)}


def test_another_version_reads_nothing_of_a_former_code(tmp_path):
    written(tmp_path, {1: 1.0}, code=CODES[0])
    assert held(tmp_path, arithmetic=2) == {}


def test_the_first_part_by_name_wins_over_all_folders(tmp_path):
    written(tmp_path, {1: 1.0, 2: 1.0}, code=CODES[1])
    written(tmp_path, {2: 2.0, 3: 2.0}, arithmetic=1)
    written(tmp_path, {3: 3.0, 4: 3.0}, code=CODES[0])
    assert held(tmp_path) == {1: 1.0, 2: 1.0, 3: 2.0, 4: 3.0}


def test_nothing_is_written_into_a_former_namespace(tmp_path):
    former, _ = written(tmp_path / "scores", {1: 2.0}, code=CODES[0])
    before = contents(former.folder)
    store = Store(tmp_path / "scores", {**ABOUT, "arithmetic": 1}, VALUES)
    names, computed = [1, 2, 3], []

    def compute(indices):
        computed.extend(names[n] for n in indices)
        return [{"numbers": [2.0 * names[n]]} for n in indices], len(indices)

    keys = [key_of(n) for n in names]
    _, counts = fill(store, keys, [1, 1, 1], compute, batch_tokens=2, part_seconds=60, what="items")
    assert counts == {"asked": 3, "hits": 1, "computed": 2} and sorted(computed) == [2, 3]
    assert contents(former.folder) == before
    assert store.folder.name == digest({**ABOUT, "arithmetic": 1})[:16] and list(store.folder.glob("*.parquet"))
    assert held(tmp_path / "scores") == {1: 2.0, 2: 4.0, 3: 6.0}


def test_a_damaged_part_of_a_former_namespace_is_set_aside(tmp_path, caplog):
    _, part = written(tmp_path, {1: 1.0}, code=CODES[0])
    part.write_bytes(part.read_bytes()[:-9])
    assert held(tmp_path) == {}
    assert part.with_suffix(".damaged").is_file() and f"{part} is damaged" in caplog.text


def test_a_namespace_without_a_readable_description_is_left_out(tmp_path):
    former, _ = written(tmp_path, {1: 1.0}, code=CODES[0])
    about = former.folder / "about.json"
    text = about.read_text()
    about.write_text(text[:20])
    assert held(tmp_path) == {}
    about.write_text(json.dumps(json.loads(text)))
    assert held(tmp_path) == {1: 1.0}


def test_the_commands_know_former_namespaces(tmp_path, capsys):
    former, part = written(tmp_path / "scores", {1: 1.0}, code=CODES[0])
    written(tmp_path / "scores", {2: 1.0}, arithmetic=1)
    store_stats.main(["--store", str(tmp_path)])
    assert f"{former.folder}: 1 parts, 1 sequences" in capsys.readouterr().out
    store_verify.main(["--store", str(tmp_path)])
    assert "2 parts are whole" in capsys.readouterr().out
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(SystemExit):
        store_verify.main(["--store", str(tmp_path)])
    assert "1 parts are whole, 1 damaged" in capsys.readouterr().out
