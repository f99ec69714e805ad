"""How long the rest of a run may take: what is said before there is anything to go by, and what afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.run.terminal.time_left import Expected, TimeLeft, in_words


def left_after(expected: dict[int, Expected], *jobs: tuple[int, float, float]) -> TimeLeft:
    """The state after jobs. Args: of `TimeLeft`; each job's id, start and end."""
    left = TimeLeft(expected)
    for job, start, end in jobs:
        left.starts(job, start)
        left.ends(job, end)
    return left


MODEL = {1: Expected("score", 100), 2: Expected("score", 100), 3: Expected("train", 50), 4: Expected("masks")}


def test_nothing_is_said_before_a_job_with_a_model_is_done():
    assert left_after(MODEL).seconds(MODEL, 0) is None
    assert left_after(MODEL, (4, 0, 5)).seconds({1, 2, 3}, 5) is None
    assert left_after(MODEL, (1, 0, 20)).seconds({2, 3, 4}, 20) is not None


def test_a_rehearsal_says_nothing_of_other_stages():
    expected = {0: Expected("rehearse", 10, typical=False), **MODEL}
    assert left_after(expected, (0, 0, 60)).seconds(MODEL, 60) is None


def test_jobs_of_one_stage_take_as_long_as_their_like():
    left = left_after({n: Expected("score", 100) for n in range(4)}, (0, 0, 30), (1, 30, 60))
    assert left.seconds({2, 3}, 60) == pytest.approx(60)


def test_larger_jobs_of_a_stage_take_longer_by_more_than_the_start():
    expected = {0: Expected("rehearse", 1, typical=False), 1: Expected("score", 10), 2: Expected("score", 40)}
    left = left_after(expected, (0, 0, 20), (1, 20, 50))
    assert left.seconds({2}, 50) == pytest.approx(20 + 10 * 4)


def test_other_stages_are_taken_by_the_estimates():
    expected = {0: Expected("rehearse", 1, typical=False), 1: Expected("score", 100), 2: Expected("train", 300)}
    left = left_after(expected, (0, 0, 20), (1, 20, 90))
    assert left.seconds({2}, 90) == pytest.approx(20 + 50 * 3)


def test_little_work_says_nothing_of_very_much_more():
    expected = {0: Expected("score", 0.01), 1: Expected("train", 0.3), 2: Expected("train", 0.31)}
    left = left_after(expected, (0, 0, 20))
    assert left.seconds({1}, 20) is not None and left.seconds({2}, 20) is None


def test_what_runs_side_by_side_is_done_sooner_but_not_before_its_longest():
    expected = {n: Expected("score", 100) for n in range(6)}
    left = left_after(expected)
    for job in (0, 1):
        left.starts(job, 0)
    for job in (0, 1):
        left.ends(job, 40)
    assert left.seconds({2, 3, 4, 5}, 40) == pytest.approx(80)
    assert left.seconds({2}, 40) == pytest.approx(40)


def test_what_a_running_job_has_done_already_is_not_left():
    left = left_after({0: Expected("score", 9), 1: Expected("score", 9)}, (0, 0, 40))
    left.starts(1, 40)
    assert left.seconds({1}, 70) == pytest.approx(10)
    assert left.seconds({1}, 700) == 0


def test_results_that_were_taken_back_or_failed_say_nothing_of_the_time():
    left = left_after({0: Expected("score", 9), 1: Expected("score", 9)}, (0, 0, 40))
    left.starts(1, 40)
    assert left.ends(1, 42, worked=False) == 2
    assert left.seconds({1}, 42) == pytest.approx(40)


def test_nothing_is_said_of_jobs_without_an_estimate():
    left = TimeLeft()
    assert left.ends(1, 10) is None
    assert left.seconds({1, 2}, 10) is None


@given(
    st.floats(10, 1e5),
    st.floats(1e-2, 1e4),
    st.lists(st.floats(0.8, 1.25), min_size=20, max_size=20),
    st.booleans(),
)
def test_of_a_queue_elsewhere_the_rest_is_right_within_a_factor_of_two(length, estimate, lengths, all_at_once):
    expected = {n: Expected("score", estimate, here=False) for n in range(20)}
    left, free, ends = TimeLeft(expected), [0.0, 0.0], []
    for job, one in enumerate(lengths):  # as the cluster runs them: two at a time
        free.sort()
        left.starts(job, 0.0 if all_at_once else max(0.0, free[0] - length))
        free[0] += one * length
        ends.append((free[0], job))
    rest, end = set(expected), max(ends)[0]
    for done, (now, job) in enumerate(sorted(ends), 1):
        left.ends(job, now)
        rest.remove(job)
        said = left.seconds(rest, now) if rest else 0
        if 4 <= done <= 16:
            assert (end - now) / 2 <= said <= (end - now) * 2


def test_jobs_elsewhere_and_here_are_no_measure_of_each_other():
    expected = {0: Expected("score", 10), 1: Expected("score", 10), 2: Expected("train", 10, here=False)}
    left = left_after(expected, (0, 0, 40))
    left.starts(2, 0)
    assert left.seconds({1}, 40) == pytest.approx(40)
    assert left.seconds({1, 2}, 40) is None
    assert left.ends(2, 5000) == 5000
    assert left.seconds({1}, 5000) == pytest.approx(40)


def test_nothing_is_said_of_jobs_elsewhere_before_one_with_work_is_done_there():
    expected = {n: Expected(*job, here=False) for n, job in enumerate([("rehearse", 9, False), ("masks",), ("a", 9)])}
    assert left_after(expected, (0, 0, 900), (1, 0, 20)).seconds({2}, 900) is None
    assert left_after(expected, (2, 0, 20)).seconds({0, 1}, 20) is None
    little = {0: Expected("score", 0.01, here=False), 1: Expected("train", 0.31, here=False)}
    assert left_after(little, (0, 0, 20)).seconds({1}, 20) is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1e9), st.booleans(), st.booleans()), max_size=12),
    st.lists(
        st.tuples(st.integers(0, 14), st.sampled_from(["starts", "ends", "lost"]), st.floats(0, 1e6)), max_size=40
    ),
)
def test_it_is_never_negative_whatever_happens(jobs, events):
    left, now = TimeLeft({n: Expected(*job) for n, job in enumerate(jobs)}), 0.0
    for job, what, later in events:
        now += later
        if what == "starts":
            left.starts(job, now)
        else:
            left.ends(job, now, worked=what == "ends")
        seconds = left.seconds(range(15), now)
        assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "about 10 s"),
        (44, "about 40 s"),
        (56, "about 1 min"),
        (90, "about 2 min"),
        (3540, "about 59 min"),
        (3590, "about 1 h"),
        (9000, "about 2.5 h"),
        (40_000, "about 11 h"),
        (260_000, "about 3 days"),
    ],
)
def test_times_are_worded_by_what_they_are_worth(seconds, words):
    assert in_words(seconds) == words
