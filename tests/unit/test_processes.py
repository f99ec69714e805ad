"""What several processes of one training say together."""

import signal

import pytest

from clearminds.files.layout import rank_log, run_records
from clearminds.job.processes import _last_words

SAID = "2026-01-01 00:00:00,000 ERROR clearminds: error: "


@pytest.mark.parametrize(
    ("words", "codes", "expected"),
    [
        ({0: "unexpected RuntimeError: closed by peer", 1: "no such layer"}, {0: 1}, "no such layer (process 1"),
        ({0: "unexpected RuntimeError: peer", 1: None}, {1: -signal.SIGKILL, 0: 1}, "process 1 of 2 was killed"),
        ({0: "stopped by the user", 1: "unexpected ValueError: it"}, {1: 1}, "unexpected ValueError: it (process 1"),
        ({0: "stopped by the user", 1: None}, {1: -signal.SIGSEGV}, "one of 2 processes ended without a word; see"),
    ],
)
def test_the_process_that_failed_is_heard_before_those_that_lost_it(tmp_path, words, codes, expected):
    log = tmp_path / "seed0.log"
    for number, said in words.items():
        if said:
            rank_log(log, number).write_text(f"started\n{SAID}{said}\n")
    assert _last_words(log, 2, codes).startswith(expected)


def test_a_training_in_several_processes_is_one_job_among_the_records(tmp_path):
    for name in ("seed0.run.json", "seed0.rank0.run.json", "seed0.rank1.run.json", "rank1.run.json"):
        (tmp_path / name).touch()
    assert [path.name for path in run_records(tmp_path)] == ["rank1.run.json", "seed0.run.json"]
