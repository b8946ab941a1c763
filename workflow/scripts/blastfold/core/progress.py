"""Progress of a long piece of work: a line in the log every few seconds, never more often."""

import time
from collections.abc import Callable


class Progress:
    """Counts what is done and reports it at most once per interval.

    Args:
        total: How many items there are, or a size such as GB as float; None when unknown.
        report: Receives each line; None reports nothing.
        items: What is counted, for instance ``"images"``.
        seconds: Least time between two reports.
        done: Items that an earlier attempt has done already.
    """

    def __init__(
        self,
        total: float | None,
        report: Callable[[str], None] | None,
        items: str = "images",
        seconds: float = 15.0,
        done: float = 0,
    ):
        self.total = total
        self.items = items
        self.done = self._before = done
        self._report = report
        self._interval = seconds
        self._start = self._reported = time.monotonic()

    def advance(self, count: float, prefix: str = "") -> None:
        """Count items as done; report them when the last report is long enough ago.

        Args:
            count: Items done since the last call.
            prefix: Put before the line, for instance ``"epoch 3: "``.
        """
        self.done += count
        now = time.monotonic()
        if self._report and now - self._reported >= self._interval:
            self._reported = now
            self._report(prefix + self.describe(now))

    def rate(self) -> float:
        """Return the items per second since the start of this attempt."""
        return (self.done - self._before) / max(time.monotonic() - self._start, 1e-9)

    def describe(self, now: float | None = None) -> str:
        """Return how much is done, how fast, and how long the rest will take."""
        now = time.monotonic() if now is None else now
        rate = (self.done - self._before) / max(now - self._start, 1e-9)
        if self.total is None:
            return f"{_shown(self.done)} {self.items}, {rate:.3g} per second"
        left = (self.total - self.done) / rate if rate else 0.0
        return (
            f"{_shown(min(self.done, self.total))} of {_shown(self.total)} {self.items}, "
            f"{rate:.3g} per second, about {max(left, 0.0):.0f} s left"
        )


def _shown(amount: float) -> str:
    return f"{amount:.1f}" if isinstance(amount, float) else str(amount)
