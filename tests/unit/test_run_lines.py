"""What a run says of its jobs: how many of how many are done, and of those of a cluster that they were handed over."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.run.terminal.run_lines import RunJob, RunLines
from clearminds.run.terminal.time_left import Expected, TimeLeft


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def lines(clock, *titles: str, prints_here: bool = True, expected=None) -> RunLines:
    jobs = {number: RunJob(title, prints_here) for number, title in enumerate(titles)}
    return RunLines(jobs, TimeLeft(expected or {}), clock)


def test_a_run_begins_with_its_jobs_and_where_their_commands_are(clock):
    log = ".snakemake/log/x.log"
    assert lines(clock, "a", "b").begins(log) == ["2 jobs to do; their commands are in .snakemake/log/x.log"]
    assert lines(clock, "a").begins(log) == ["1 job to do; its command is in .snakemake/log/x.log"]
    assert lines(clock, "a").begins(None) == ["1 job to do"]
    assert lines(clock).begins(log) == []


def test_the_end_of_a_job_tells_how_many_are_done_and_the_time_left(clock):
    said = lines(clock, "score a", "score b", "score c", expected={n: Expected("score", 9) for n in range(3)})
    assert said.starts(0) == []  # it says so itself
    clock.now += 120
    assert said.ends(0) == ["[1 of 3 jobs done, about 4 min left]"]
    said.starts(1)
    clock.now += 120
    assert said.ends(1) == ["[2 of 3 jobs done, about 2 min left]"]
    said.starts(2)
    clock.now += 10
    assert said.ends(2) == ["[3 of 3 jobs done]"]


def test_targets_and_what_ended_before_are_not_counted(clock):
    said = lines(clock, "score a")
    assert said.starts(7) == said.ends(7) == said.fails(7, "cause") == said.submitted(7, "SLURM job 1") == []
    said.ends(0)
    assert said.ends(0) == []


def test_jobs_of_a_cluster_are_spoken_for(clock):
    said = lines(clock, "score a", "score b", prints_here=False)
    assert said.starts(0) == ["score a: handed over"]  # all that is known where another scheduler than SLURM takes it
    assert said.submitted(0, "SLURM job 41 (log: x.log)") == ["score a: is SLURM job 41 (log: x.log)"]
    clock.now += 3000
    assert said.ends(0) == ["score a: done 3,000 s after it was handed over", "[1 of 2 jobs done]"]
    said.starts(1)
    assert said.ends(1, taken_back=True)[0] == "score b: taken back: settings, code and inputs are what they were"


def test_only_what_failed_for_good_is_counted_and_what_is_tried_again_is_time_left(clock):
    said = lines(clock, "score a", "score b", "score c", expected={n: Expected("score", 9) for n in range(3)})
    said.starts(0)
    assert said.fails(0, None, again=True) == []  # its own line has said it
    said.starts(1)
    clock.now += 120
    assert said.ends(1) == ["[1 of 3 jobs done, about 4 min left]"]
    assert said.starts(0) == ["score a: is tried again"]
    assert said.fails(0, "no memory (log: x.log)") == ["score a: error: no memory (log: x.log)"]
    said.starts(2)
    clock.now += 120
    assert said.ends(2) == ["[2 of 3 jobs done, 1 failed]"]


def test_jobs_behind_a_failed_one_are_no_time_left(clock):
    said = lines(clock, *"abcd", expected={n: Expected("score", 9) for n in range(4)})
    for job in (0, 1):
        said.starts(job)
    clock.now += 60
    said.fails(0, None, blocked=[2])
    assert said.ends(1) == ["[1 of 4 jobs done, 1 failed, about 1 min left]"]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["starts", "ends", "back", "fails"]), st.integers(0, 6), st.floats(0, 1e5)), max_size=60
)


@given(EVENTS, st.booleans(), st.integers(1, 5))
def test_the_count_only_grows_and_never_exceeds_all(events, prints_here, total):
    clock = Clock()
    said = lines(
        clock,
        *map(str, range(total)),
        prints_here=prints_here,
        expected={n: Expected("score", n % 2) for n in range(total)},
    )
    found = []
    for kind, job, later in events:
        clock.now += later
        match kind:
            case "starts":
                found += said.starts(job)
            case "fails":
                found += said.fails(job, "cause", [job + 1])
            case _:
                found += said.ends(job, kind == "back")
    counts = [re.match(r"\[(\d+) of (\d+) jobs done", line) for line in found if line.startswith("[")]
    done = [int(count[1]) for count in counts]
    assert all(before + 1 == after for before, after in pairwise([0, *done]))
    assert all(int(count[1]) <= int(count[2]) == total for count in counts)
    assert not any("-" in line for line in found)


def test_failures_that_other_threads_report_disturb_no_count(clock):
    total = 600
    said = lines(clock, *map(str, range(total)), expected={n: Expected("score", 9) for n in range(total)})
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    for job in range(total):
        said.starts(job)

    def run(job: int) -> list[str]:
        clock.now += 2  # so that what is left is counted at every end
        return said.fails(job, "cause") if job % 3 == 0 else said.ends(job)

    try:
        with ThreadPoolExecutor(4) as threads:
            found = [line for lines in threads.map(run, range(total)) for line in lines]
    finally:
        sys.setswitchinterval(before)
    counts = [int(match[1]) for line in found if (match := re.match(r"\[(\d+) of", line))]
    assert sorted(counts) == list(range(1, total * 2 // 3 + 1))


def test_what_is_left_is_not_counted_anew_for_each_of_many_jobs_that_end_at_once(clock, monkeypatch):
    total = 3000
    said = lines(clock, *map(str, range(total)), expected={n: Expected("score", 9) for n in range(total)})
    asked = []
    seconds = TimeLeft.seconds
    monkeypatch.setattr(TimeLeft, "seconds", lambda *given: asked.append(1) or seconds(*given))
    for job in range(total):
        said.starts(job)
    clock.now += 60
    for job in range(total - 1):
        last = said.ends(job)
    assert len(asked) < 100
    # 3,000 at a time: what runs still is about to end
    assert last == ["[2,999 of 3,000 jobs done, about 10 s left]"]
    clock.now += 1
    assert said.ends(total - 1) == ["[3,000 of 3,000 jobs done]"]
