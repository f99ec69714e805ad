"""The frame of the benchmarks: figures of a row, a table that keeps what is not measured again, memory by process."""

import subprocess
import sys
from subprocess import PIPE

import polars as pl
import psutil
import pytest

from clearminds.checkout import ROOT
from clearminds.files import contracts
from clearminds.files.tables import read_table

sys.path.insert(0, str(ROOT / "benchmarks"))
sys.path.insert(0, str(ROOT / "benchmarks" / "bench"))

import growth
import imports
import study_growth
import threads
import tiny_run
from catalogue import MEMORY, Row, Sizes, rows
from lines import as_markdown, line, require_same, save
from measured import Measured, fastest, measure

SPEED_ROW = Row("scoring", "peer", ("scoring:own",), ("scoring:other",), 1.5, "items/s")
MEMORY_ROW = Row("scoring, memory", "peer", ("scoring:own",), ("scoring:other",), 0.6, "MiB", MEMORY)
OWN = [Measured(10, 1, 9, 50, 5e9), Measured(10, 2, 9, 70, 5e9), Measured(10, 1.25, 9, 60, 5e9)]
OTHER = [Measured(5, 1, 1, 100), Measured(5, 1, 1, 100), Measured(5, 1, 1, 100)]


def test_speed_is_compared_by_seconds_of_a_core_within_each_pair():
    found = line(SPEED_ROW, OWN, OTHER, 1e10)
    assert (found["own"], found["other"], found["lowest"], found["ratio"], found["highest"]) == (8, 5, 1, 1.6, 2)
    assert found["reached"] and found["share_of_peak"] == pytest.approx(0.4)
    assert not line(SPEED_ROW, OWN[1:2], OTHER[:1], None)["reached"]


def test_memory_is_to_stay_below_its_target():
    found = line(MEMORY_ROW, OWN, OTHER, 1e10)
    assert (found["own"], found["other"], found["ratio"], found["reached"]) == (60, 100, 0.6, True)
    assert not line(MEMORY_ROW, OWN[1:2], OTHER[:1], None)["reached"]


def test_rows_that_are_not_measured_again_stay_in_the_order_of_the_catalogue(tmp_path):
    path, order = tmp_path / "bench.parquet", [SPEED_ROW.name, MEMORY_ROW.name]
    save(path, [line(MEMORY_ROW, OWN, OTHER, None)], order)
    save(path, [line(SPEED_ROW, OWN, OTHER, None)], order)
    save(path, [line(SPEED_ROW, OWN[:1], OTHER[:1], None)], order)
    assert pl.read_parquet(path).select("stage", "pairs").rows() == [("scoring", 1), ("scoring, memory", 3)]
    head, rule, *body, _ = as_markdown(path).splitlines()
    assert head.startswith("| stage | peer | own |") and set(rule) == set("| -") and len(body) == 2
    assert body[1].startswith("| scoring, memory | peer | 60 | 100 | MiB | 0.6 |")


def test_sides_that_come_to_other_numbers_are_not_compared():
    row = Row("training", "peer", (), (), None, "tokens/s", within=0.01)
    require_same(row, (1.0, 2.0), (1.005, 2.0))
    with pytest.raises(SystemExit, match="training, peer: not the same work"):
        require_same(row, (1.0, 2.0), (1.0, 2.1))


def test_a_peer_is_taken_as_it_is_fastest():
    assert fastest(OWN) is OWN[0]


def test_memory_counts_the_peak_of_the_work_alone():
    held = bytearray(64 * 2**20)
    before = bytearray(256 * 2**20)
    before[:: 2**12] = b"x" * len(before[:: 2**12])
    del before  # a peak of earlier is none of this work's

    def work() -> float:
        block = bytearray(96 * 2**20)
        block[:: 2**12] = b"x" * len(block[:: 2**12])
        return 1.0

    found = measure(work)
    assert 90 < found.memory < 128, len(held)


def test_a_process_that_works_for_this_one_is_measured_in_its_place():
    worker = "input(); sum(range(10**7)); held = b'x' * (96 * 2**20); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", worker], stdin=PIPE, stdout=PIPE) as process:
        process.stdin.write(b"\n")

        def work() -> float:
            process.stdin.flush()
            return float(len(process.stdout.readline()))

        found = measure(work, process=psutil.Process(process.pid))
        process.communicate(b"\n")
    assert found.amount == 1 and found.cpu > 0 and 90 < found.memory < 128


def test_every_row_has_a_name_of_its_own_and_work_that_is_there():
    table = rows(Sizes(16, 1000, 9000, 256))
    assert len({row.name for row in table}) == len(table)
    for row in table:
        for work in (row.own, row.other):
            if work is not None:
                module, function = work[0].split(":")
                text = (ROOT / "benchmarks" / "bench" / f"{module}.py").read_text(encoding="utf-8")
                assert f"def {function}(" in text, work


def test_masks_are_built_from_tables_of_their_own_size():
    of_tables = {row.stage: row.own[1:] for row in rows(Sizes(16, 1000, 9000, 256))}
    assert of_tables["mask building"] == of_tables["mask building, memory"] == (9000,)
    assert of_tables["score table, three columns"] == (1000,)


SAID = """2026-11-29 DEBUG root: command: import time: nothing
import time: self [us] | cumulative | imported package
import time:       200 |        200 |     torch._C
import time:      1500 |       1700 |   torch
import time:       300 |        300 |   torch._C
import time:      1000 |       2700 | clearminds.job
"""


def test_of_imports_own_times_add_up_and_a_module_of_two_lines_counts_once():
    found = imports.modules("train_adapter", SAID, share=0.5)
    assert found.columns == ["stage", "module", "own_ms", "cumulative_ms"]
    assert found["module"].to_list() == ["clearminds.job", "torch", "torch._C"]
    assert found["own_ms"].to_list() == pytest.approx([0.5, 0.75, 0.25])  # half of what Python said, as of a core
    assert found["cumulative_ms"].to_list() == pytest.approx([1.35, 0.85, 0.15])


def test_imports_of_a_stage_take_the_place_of_earlier_ones(tmp_path):
    path = tmp_path / "imports.parquet"
    for stage in ("train_adapter", "build_masks", "train_adapter"):
        imports.save(path, imports.modules(stage, SAID))
    assert sorted(pl.read_parquet(path)["stage"]) == ["build_masks"] * 3 + ["train_adapter"] * 3
    _, _, masks, training = imports.as_markdown(path).splitlines()
    # of torch its largest module alone
    assert training == "| train_adapter | 0.00 | 3 | clearminds.job 0.00, torch 0.00 |" and "build_masks" in masks


def test_python_says_what_it_imports_as_the_bench_reads_it(tmp_path):
    command = [sys.executable, "-X", "importtime", "-c", "import json.tool"]
    _, said = tiny_run.run(command, tmp_path)
    found = imports.modules("any", said)
    whole = dict(found.select("module", "cumulative_ms").rows())
    assert whole["json.tool"] >= whole["json"] > 0


def test_a_command_that_fails_says_what_it_said(tmp_path):
    with pytest.raises(RuntimeError, match="no such thing"):
        tiny_run.timed([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)


def test_an_arrangement_of_threads_is_compared_within_its_round():
    rounds = [
        {name: threads.Took(wall, 1.0, 100.0) for name in threads.ARRANGEMENTS}
        | {threads.TWO_THREADS: threads.Took(other, 1.0, 150.0)}
        for wall, other in ((1.0, 2.0), (3.0, 2.0), (2.0, 2.0))
    ]
    jobs, one_job, *rest = threads.table("scoring", rounds)
    assert jobs == "| scoring | two jobs of a thread | 2 | 1 | 100 | a job of two threads | 1.000 | 0.500 | 1.500 |"
    assert one_job == "| scoring | a job of two threads | 2 | 1 | 150 |  |  |  |  |" and len(rest) == 3
    for how in threads.ARRANGEMENTS.values():
        assert how.jobs * how.threads == 2 and (not how.against or how.against in threads.ARRANGEMENTS)


def test_a_curve_of_what_is_proportional_has_exponent_one():
    assert growth.exponent([1, 2, 4], [3.0, 6.0, 12.0]) == pytest.approx(1)
    assert growth.exponent([1, 2, 4], [5.0, 5.0, 5.0]) == pytest.approx(0)
    cells = growth.cells([1, 2, 4, 8], [Measured(n * 10, float(n), 9, 64.0 / n) for n in (1, 2, 4, 8)])
    assert cells == ["1, 2, 4, 8", "10, 20, 40, 80", "1, 2, 4, 8", "1.00", "64, 32, 16, 8", "-1.00"]


def test_a_study_of_so_many_variants_has_them_and_nothing_else_changes(tmp_path):
    study = {"study": "tiny", "variants": {"self-output": {"responses": "self_output"}}, "seeds": [0]}
    tiny_run.study(tmp_path, study)
    found = study_growth.of_variants(tmp_path, 3)
    assert len(found.pop("variants")) == 3 and found == {"study": "tiny", "seeds": [0]}


def test_jobs_are_counted_as_a_run_and_a_dry_run_say_them():
    assert study_growth.jobs_of("job      count\n------\ntotal       24\n") == 23  # without `all`
    assert study_growth.jobs_of("GPUs: none\n1,026 jobs to do; their commands are in x.log\n") == 1026
    assert study_growth.jobs_of("1 job to do; its command is in x.log\n") == 1


def test_a_made_up_table_has_different_conversations_with_a_response_each(tmp_path):
    tables = study_growth.made_up(tmp_path, 20)
    examples = read_table(tables["examples"], contracts.EXAMPLES).to_pylist()
    responses = read_table(tables["responses"], contracts.RESPONSES).to_pylist()
    assert [row["example_id"] for row in examples] == [row["example_id"] for row in responses]
    assert len({row["response"] for row in responses}) == 20
