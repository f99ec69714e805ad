"""Progress in plain lines: what they say, and when one is due."""

import logging

import pytest

from clearminds import progress
from clearminds.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""

    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_line_tells_done_of_total_rate_and_time_left(clock):
    shown = Progress(4000, "sequences")
    clock.now += 60
    shown.add(1000, tokens=120_000)
    assert shown.line() == "1,000 of 4,000 sequences, 2,000 tokens/s, 0:03:00 left"


def test_items_without_tokens_have_no_rate(clock):
    shown = Progress(3, "items")
    clock.now += 2
    shown.add(1)
    assert shown.line() == "1 of 3 items, 0:00:04 left"


def test_lines_before_the_first_item_and_without_any_can_be_read(clock):
    clock.now += 5
    assert Progress(3, "items").line() == "0 of 3 items, 0:00:00 left"
    assert Progress(0, "items").line() == "0 of 0 items, 0:00:00 left"
    assert Progress(0, "items").tokens_per_second == 0


def test_seconds_and_rate_are_those_since_the_start(clock):
    shown = Progress(10, "items")
    clock.now += 4
    shown.add(1, tokens=100)
    clock.now += 6
    shown.add(1, tokens=100)
    assert (shown.seconds, shown.tokens_per_second) == (10, 20)


def test_a_line_is_due_every_few_seconds_and_at_the_end(clock, caplog):
    caplog.set_level(logging.INFO, "clearminds")
    shown = Progress(10, "items", every=10)
    logged = []
    for _ in range(10):
        clock.now += 4
        shown.add(1)
        logged.append(len(caplog.records))
    assert logged == [0, 0, 1, 1, 1, 1, 2, 2, 2, 3]
    assert caplog.messages[-1] == "10 of 10 items, in 0:00:40"
    assert all(message.isprintable() for message in caplog.messages)


def test_a_loop_of_seconds_is_for_the_log_file(clock, caplog):
    caplog.set_level(logging.DEBUG, "clearminds")
    shown = Progress(2, "items")
    for _ in range(2):
        clock.now += 2
        shown.add(1)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "2 of 2 items, in 0:00:04")
    ]


def test_a_long_loop_has_a_line_a_minute(clock, caplog):
    caplog.set_level(logging.INFO, "clearminds")
    shown = Progress(100_000, "items")
    for _ in range(3600):
        clock.now += 1
        shown.add(1)
    assert 60 <= len(caplog.records) <= 66
