"""The store: what is written is found, whoever writes and whatever happens to the files; and what a job computes."""

import errno
import json
import multiprocessing
import os
import random
import threading
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.commands import store_stats, store_verify
from clearminds.files.digests import file_sha256
from clearminds.model.batches import plan
from clearminds.reuse import fill_store
from clearminds.reuse.fill_store import fill
from clearminds.reuse.store import Store, key_of, usage

VALUES = pa.schema([("numbers", pa.list_(pa.float32()))])


def store_in(folder, name="a"):
    return Store(folder / "scores", {"scorer": name}, VALUES)


def rows(store, items):
    return pa.Table.from_pylist([{"key": key_of(k), "numbers": v} for k, v in items.items()], schema=store.schema)


def held(store, names):
    found = store.find([key_of(name) for name in names]).to_pylist()
    return {row["key"]: row["numbers"] for row in found}


def expected(items):
    return {key_of(name): value for name, value in items.items()}


@given(st.lists(st.dictionaries(st.integers(0, 40), st.lists(st.integers(0, 9), max_size=4), min_size=1), max_size=5))
def test_what_is_written_first_is_found_once(tmp_path_factory, parts):
    store = store_in(tmp_path_factory.mktemp("store"))
    first = {}
    for part in parts:
        store.add(rows(store, part))
        first = {**part, **first}
    wanted = range(30)
    assert held(store, wanted) == expected({name: value for name, value in first.items() if name in wanted})
    assert store.has([key_of(name) for name in wanted]) == {key_of(name) for name in first if name in wanted}


def test_namespaces_know_nothing_of_each_other(tmp_path):
    store_in(tmp_path).add(rows(store_in(tmp_path), {1: [1.0]}))
    assert held(store_in(tmp_path, "b"), [1]) == {}
    assert held(store_in(tmp_path), [1]) == expected({1: [1.0]})


def test_a_few_rows_of_a_large_part_are_those_asked_for(tmp_path):
    store, items = store_in(tmp_path), {n: [float(n)] * (n % 3) for n in range(1000)}
    store.add(rows(store, items))
    rng = random.Random(0)
    for wanted in ([0], [999], [127, 128], rng.sample(range(1000), 30), range(1000)):
        assert held(store, wanted) == expected({n: items[n] for n in wanted})


def test_a_value_that_was_read_stays_whatever_the_clock_of_a_later_writer_says(tmp_path, monkeypatch):
    store = store_in(tmp_path)
    for hours, value in (5, 1.0), (0, 2.0), (-5, 3.0):
        monkeypatch.setattr("clearminds.reuse.store.time.time_ns", lambda hours=hours: (1000 + hours) * 3600 * 10**9)
        store.add(rows(store, {"same": [value], value: [value]}))
        assert held(store, ["same"]) == expected({"same": [1.0]})
    assert held(store, [2.0, 3.0]) == expected({2.0: [2.0], 3.0: [3.0]})


def test_a_part_that_was_hashed_slowly_comes_after_one_that_was_read_meanwhile(tmp_path, monkeypatch):
    store, fast = store_in(tmp_path), store_in(tmp_path)
    read, hashed = {}, iter([True])

    def slow(file):
        if next(hashed, None):  # of the first part that is written: another one comes and is read
            fast.add(rows(fast, {"same": [1.0]}))
            read.update(held(fast, ["same"]))
        return file_sha256(file)

    monkeypatch.setattr("clearminds.reuse.store.file_sha256", slow)
    store.add(rows(store, {"same": [2.0]}))
    assert read == held(store, ["same"]) == expected({"same": [1.0]})


def test_a_part_that_came_while_another_looked_for_its_number_does_not_lose_what_was_read(tmp_path, monkeypatch):
    slow, fast, reader = (store_in(tmp_path) for _ in range(3))
    other, real, before = threading.Thread(target=lambda: fast.add(rows(fast, {1: [2.0]}))), slow._newest, []

    def looking():
        found = real()
        other.start()
        other.join(0.3)  # it may wait for the number that is being given
        before.append(held(reader, [1]))
        return found

    monkeypatch.setattr(slow, "_newest", looking)
    slow.add(rows(slow, {1: [1.0]}))
    before.append(held(reader, [1]))
    other.join()
    after = held(reader, [1])
    assert len(reader.parts()) == 2 and all(found in ({}, after) for found in before)


def test_a_store_whose_file_system_has_no_locks_is_written_all_the_same(tmp_path, monkeypatch):
    def none(*given):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("clearminds.reuse.store.fcntl.flock", none)
    store = store_in(tmp_path)
    store.add(rows(store, {1: [1.0]}))
    assert held(store, [1]) == expected({1: [1.0]})


def test_values_tell_the_versions_of_the_libraries_that_computed_them(tmp_path, monkeypatch):
    store = store_in(tmp_path)
    for n, versions in enumerate([{"torch": "2.12"}, {"torch": "2.13"}, {"torch": "2.13"}]):
        monkeypatch.setattr("clearminds.reuse.store.library_versions", lambda versions=versions: versions)
        store.add(rows(store, {n: [float(n)]}))
    earlier = store.folder / f"{9:020d}-0.parquet"  # of an earlier version, whose parts do not say it
    pq.write_table(rows(store, {3: [3.0]}), earlier)
    earlier.rename(earlier.with_stem(f"{9:020d}-{file_sha256(earlier)[:16]}"))
    for wanted, expected_versions in (
        ([1, 2], [{"torch": "2.13"}]),
        ([0, 1], [{"torch": "2.12"}, {"torch": "2.13"}]),
        ([0, 3], [None, {"torch": "2.12"}]),
    ):
        reader = store_in(tmp_path)
        assert held(reader, wanted) == expected({n: [float(n)] for n in wanted})
        assert sorted(map(str, reader.computed_with())) == sorted(map(str, expected_versions))


def write_many(folder, writer):
    store = store_in(folder)
    for n in range(12):
        # half of the keys are shared by all
        store.add(rows(store, {f"{writer}/{n}": [float(writer), float(n)], f"common/{n}": [float(n)]}))


@pytest.mark.slow
def test_eight_writers_at_once_lose_nothing(tmp_path):
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        pool.starmap(write_many, [(tmp_path, writer) for writer in range(8)])
    written = {f"{w}/{n}": [float(w), float(n)] for w in range(8) for n in range(12)}
    written |= {f"common/{n}": [float(n)] for n in range(12)}
    store = store_in(tmp_path)
    assert held(store, written) == expected(written)
    assert len(store.parts()) == 8 * 12 and not list(store.folder.glob(".*.tmp"))


DAMAGES = {
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "footer": lambda data: data[:-6] + bytes([data[-6] ^ 4]) + data[-5:],
    "first byte of the values": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "half-written": lambda data: data[: len(data) // 2] + b"\0" * (len(data) - len(data) // 2),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named_set_aside_and_not_believed(tmp_path, caplog, damage):
    store = store_in(tmp_path)
    bad = store.add(rows(store, {n: [float(n)] * 50 for n in range(20)}))
    store.add(rows(store, {n: [float(n)] for n in range(20, 25)}))
    bad.write_bytes(DAMAGES[damage](bad.read_bytes()))
    assert held(store, range(25)) == expected({n: [float(n)] for n in range(20, 25)})
    assert f"{bad} is damaged" in caplog.text
    assert bad.with_suffix(".damaged").is_file() and not bad.exists()


@given(st.data())
def test_no_flipped_bit_is_believed(tmp_path_factory, data):
    store = store_in(tmp_path_factory.mktemp("store"))
    items = {n: [float(n), -float(n)] for n in range(6)}
    part = store.add(rows(store, items))
    content = bytearray(part.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    part.write_bytes(content)
    assert held(store, items) == {}


def run(store, names, computed, part_seconds=60):
    """Fill with the double of each number, noting what was computed."""

    def compute(indices):
        computed.append([names[n] for n in indices])
        return [{"numbers": [2.0 * names[n]]} for n in indices], len(indices)

    return fill(
        store,
        [key_of(n) for n in names],
        [1 + n % 7 for n in names],
        compute,
        batch_tokens=12,
        part_seconds=part_seconds,
        what="items",
    )


def test_only_what_is_missing_is_computed(tmp_path):
    store, first, second = store_in(tmp_path), [], []
    _, counts = run(store, [1, 2, 3, 2, 1], first)
    assert counts == {"asked": 3, "hits": 0, "computed": 3} and sorted(chain.from_iterable(first)) == [1, 2, 3]
    progress, counts = run(store, [2, 3, 4, 5], second)
    assert counts == {"asked": 4, "hits": 2, "computed": 2} and sorted(chain.from_iterable(second)) == [4, 5]
    assert progress.total == progress.items == 2
    assert run(store, [5, 4, 1], [])[1] == {"asked": 3, "hits": 3, "computed": 0}
    assert held(store, [1, 5]) == expected({1: [2.0], 5: [10.0]})
    assert usage(tmp_path) == {"scores": {"asked": 10, "hits": 5, "computed": 5}}


@pytest.mark.parametrize("part_seconds", [0, 1000])
def test_a_killed_job_goes_on_with_the_batches_of_its_plan(tmp_path, part_seconds):
    names = list(range(40))
    whole, before, after = [], [], []
    run(store_in(tmp_path / "undisturbed"), names, whole)
    store = store_in(tmp_path / "killed")

    def dies(indices):
        before.append([names[n] for n in indices])
        if len(before) == 4:
            raise KeyboardInterrupt
        return [{"numbers": [2.0 * names[n]]} for n in indices], 1

    keys, lengths = [key_of(n) for n in names], [1 + n % 7 for n in names]
    with pytest.raises(KeyboardInterrupt):
        fill(store, keys, lengths, dies, batch_tokens=12, part_seconds=part_seconds, what="items")
    assert list((store.folder / "plans").iterdir())
    run(store, names, after, part_seconds=part_seconds)
    assert before[:3] + after == whole if part_seconds == 0 else after == whole
    assert not list((store.folder / "plans").iterdir())


def test_a_damaged_plan_is_made_anew(tmp_path, monkeypatch):
    store, computed = store_in(tmp_path), []
    path = fill_store._plan_path(store, [key_of(n) for n in range(5)], 12)
    path.parent.mkdir(parents=True)
    path.write_text("[[")
    run(store, list(range(5)), computed)
    assert sorted(chain.from_iterable(computed)) == list(range(5))


def test_a_smaller_budget_makes_a_plan_of_its_own(tmp_path):
    store = store_in(tmp_path)
    lengths = [4] * 6
    for budget, sizes in ((12, [3, 3]), (4, [1] * 6)):
        assert [len(batch) for batch in plan(lengths, budget)] == sizes
    keys, sizes = [key_of(n) for n in range(6)], {12: [], 4: []}
    for budget, found in sizes.items():

        def dies(indices, found=found):
            found.append(len(indices))
            if len(found) == 2:
                raise KeyboardInterrupt
            return [{"numbers": []} for _ in indices], 1

        with pytest.raises(KeyboardInterrupt):
            fill(store, keys, lengths, dies, batch_tokens=budget, part_seconds=60, what="items")
    assert sizes == {12: [3, 3], 4: [1, 1]} and len(list((store.folder / "plans").iterdir())) == 2


def test_a_planner_puts_items_together_and_is_asked_for_what_is_missing(tmp_path):
    store, computed, asked = store_in(tmp_path), [], []
    run(store, [2], [])

    def compute(indices):
        computed.append(indices)
        return [{"numbers": []} for _ in indices], 1

    def planner(indices):
        asked.append(indices)
        return [[n for n in indices if n % 2 == odd] for odd in (0, 1)]

    keys = [key_of(n) for n in range(6)]
    fill(store, keys, [100] * 6, compute, batch_tokens=1, part_seconds=60, what="items", planner=planner)
    assert computed == [[0, 4], [1, 3, 5]] and asked[0] == [0, 1, 3, 4, 5]


def test_what_a_damaged_part_held_is_computed_again(tmp_path):
    store, names = store_in(tmp_path), list(range(10))
    run(store, names, [])
    [part] = store.parts()
    part.write_bytes(part.read_bytes()[:-9])
    again = []
    assert run(store, names, again)[1]["computed"] == 10
    assert held(store, names) == expected({n: [2.0 * n] for n in names})


def test_stats_count_parts_sequences_bytes_and_hits(tmp_path, capsys):
    store = store_in(tmp_path)
    run(store, [1, 2, 3], [])
    run(store, [3, 4], [])
    store_stats.main(["--store", str(tmp_path)])
    said = capsys.readouterr().out
    assert "scores" in said and "2 parts" in said and "4 sequences" in said and " MB" in said
    assert "1 of 5 looked up were found (20 %)" in said


def test_verify_names_what_is_damaged_and_says_so_by_its_exit_code(tmp_path, capsys):
    store = store_in(tmp_path)
    parts = [store.add(rows(store, {n: [float(n)] * 99})) for n in range(4)]
    store_verify.main(["--store", str(tmp_path)])
    assert "4 parts are whole" in capsys.readouterr().out
    content = bytearray(parts[2].read_bytes())
    content[random.Random(0).randrange(len(content))] ^= 16
    parts[2].write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        store_verify.main(["--store", str(tmp_path)])
    assert stopped.value.code == 1
    said = capsys.readouterr().out
    assert str(parts[2]) in said and "3 parts are whole" in said
    assert parts[2].with_suffix(".damaged").exists()


def test_a_store_that_is_not_there_is_empty(tmp_path, capsys):
    store_stats.main(["--store", str(tmp_path / "none")])
    store_verify.main(["--store", str(tmp_path / "none")])
    assert "no store" in capsys.readouterr().out


def test_torn_lines_of_the_usage_are_skipped(tmp_path):
    (tmp_path / "usage.jsonl").write_text(
        json.dumps({"kind": "scores", "asked": 2, "hits": 1, "computed": 1}) + '\n{"kind": "sco'
    )
    assert usage(tmp_path) == {"scores": {"asked": 2, "hits": 1, "computed": 1}}


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_store_that_may_only_be_read_serves_all_the_same(tmp_path):
    store = store_in(tmp_path)
    store.add(rows(store, {1: [1.0]}))
    store.folder.chmod(0o555)
    assert held(store_in(tmp_path), [1]) == expected({1: [1.0]})
