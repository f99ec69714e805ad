"""Progress of a long stage in plain lines: items done, rate and time left.

The same lines serve a terminal, a pipe and a log file: no control characters, one line every few seconds.
"""

import logging
import time
from datetime import timedelta

log = logging.getLogger("clearminds")


class Progress:
    """Counts items (and the tokens in them) and logs a line now and then.

    Args:
        total: how many items there are.
        what: the plural noun of an item, such as "sequences".
        every: least seconds between two lines.
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
            log.info("%s", self.line())

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return time.monotonic() - self.start

    @property
    def tokens_per_second(self) -> float:
        """Tokens counted per second of wall time."""
        return self.tokens / max(self.seconds, 1e-9)

    def line(self) -> str:
        """One line: done of total, rate, time left."""
        left = self.seconds / max(self.items - self.done, 1) * (self.total - self.items)
        rate = f", {self.tokens_per_second:,.0f} tokens/s" if self.tokens else ""
        return f"{self.items:,} of {self.total:,} {self.what}{rate}, {timedelta(seconds=round(left))} left"
