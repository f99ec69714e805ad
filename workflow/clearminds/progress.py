"""Progress of a long stage in plain lines: items done, rate and time left.

The same lines serve a terminal, a pipe and a log file: no control characters, one line every few seconds, and in a
long loop one a minute.
"""

import logging
import time
from datetime import timedelta

log = logging.getLogger("clearminds")

FEW_SECONDS = 10.0
SLOWER, MOST_SECONDS = 1.5, 60.0  # the time between two lines grows by this factor, up to these seconds


class Progress:
    """Counts items (and the tokens in them) and logs a line now and then.

    Args:
        total: how many items there are.
        what: the plural noun of an item, such as "sequences".
        every: least seconds between the first two lines.
        done: how many of them an earlier run did; the rate and the time left are this run's.
    """

    def __init__(self, total: int, what: str, every: float = 10.0, done: int = 0):
        self.total, self.what, self.every, self.done = total, what, every, done
        self.items, self.tokens = done, 0
        self.start = self.last = time.monotonic()

    def add(self, items: int, tokens: int = 0) -> None:
        """Count `items` more, which held `tokens` tokens."""
        self.items += items
        self.tokens += tokens
        now = time.monotonic()
        if now - self.last >= self.every or self.items >= self.total:
            self.last = now
            self.every = max(self.every, min(self.every * SLOWER, MOST_SECONDS))
            # a loop of seconds is over before anyone waits for it: its line is for the log file
            log.log(logging.INFO if now - self.start >= FEW_SECONDS else logging.DEBUG, "%s", self.line())

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return time.monotonic() - self.start

    @property
    def tokens_per_second(self) -> float:
        """Tokens counted per second of wall time."""
        return self.tokens / max(self.seconds, 1e-9)

    def line(self) -> str:
        """One line: done of total, rate, and the time left; at the end the time it took."""
        left = self.seconds / max(self.items - self.done, 1) * (self.total - self.items)
        rate = f", {self.tokens_per_second:,.0f} tokens/s" if self.tokens else ""
        done = f"{self.items:,} of {self.total:,} {self.what}{rate}"
        if self.items > self.done and self.items >= self.total:
            return f"{done}, in {timedelta(seconds=round(self.seconds))}"
        return f"{done}, {timedelta(seconds=round(left))} left"
