"""The end of a run in which jobs failed: which jobs, the last lines of their logs, what to do."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LINES = 5
"""Lines of a log that are shown."""

MOST_LINES = 200
"""Lines of a log in which the beginning of an error is looked for."""

RECORD = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ ")
"""What a message of a log begins with; its other lines do not."""

WIDTH = 600
"""Characters of a line that are shown."""

TAIL_BYTES = 64 * 2**10
"""Bytes at the end of a log that are read."""

NO_ROOM = ("No space left on device", "Disk quota exceeded", "The disk is full")
"""What a log contains where the disk was full."""

NO_MEMORY = ("MemoryError", "Unable to allocate", "ResourceExhaustedError", "oom-kill")
"""What a log contains where the memory was full."""

INTERRUPTED = ("stopped by a signal",)
"""What a log contains where a job was asked to stop."""

CORRECT = "Correct what the message names."
MAKE_ROOM = "Make room on the disk."
MORE_MEMORY = (
    "The memory was full. Start fewer jobs at a time (a smaller --cores), or on a cluster give "
    "more memory: --set-resources {rule}:mem_mb=<MB>."
)
KILLED = (
    "Its log ends without an error. Look for a message of Snakemake about this job above. Without "
    "one the job was killed, mostly because the memory was full: start fewer jobs at a time (a "
    "smaller --cores), or on a cluster give more memory: --set-resources {rule}:mem_mb=<MB>."
)
CONTINUE = "It was asked to stop. The next run continues it."
REPORT = "An error of the program. Report it with its log."


class FailedJob(NamedTuple):
    """A job that failed.

    Attributes:
        rule: Name of its rule.
        wildcards: Values by name.
        logs: Its log files.
    """

    rule: str
    wildcards: Mapping[str, str]
    logs: Sequence[str]


def describe_failures(failed: Iterable[FailedJob], waiting: int) -> str:
    """Return the text that a run ends with after an error.

    Args:
        failed: The jobs that failed; none where the run itself was stopped.
        waiting: Jobs that did not run because of that.

    Returns:
        For each job its rule and wildcards, its log with the last lines, and what to do.
    """
    failed = sorted(failed, key=lambda job: (job.rule, sorted(job.wildcards.items())))
    again = "start the same command again: all finished results are kept."
    if not failed:
        return f"The run was stopped; {_jobs(waiting)} not run. To continue, {again}"
    head = f"{_jobs(len(failed))} failed; {_jobs(waiting)} not run because of that:"
    parts = [describe_job(job) for job in failed]
    return "\n\n".join([head, *parts, f"After the corrections, {again}"])


def describe_job(job: FailedJob) -> str:
    """Return the lines about one failed job."""
    about = ", ".join(f"{name} {value}" for name, value in job.wildcards.items())
    lines = [f"{job.rule}" + (f" ({about})" if about else "")]
    tail: list[str] = []
    for path in job.logs:
        tail = end_of_log(path)
        lines.append(f"  log: {path}" if tail else f"  log: {path} (missing or empty)")
        lines += [f"    {line}" for line in tail]
    lines.append(f"  what to do: {advice(tail).format(rule=job.rule)}")
    return "\n".join(lines)


def advice(tail: Sequence[str]) -> str:
    """Return what to do about a job whose log ends with some lines; ``{rule}`` is its rule."""
    text = "\n".join(tail)
    for signs, remedy in (
        (NO_ROOM, MAKE_ROOM),
        (NO_MEMORY, MORE_MEMORY),
        (INTERRUPTED, CONTINUE),
    ):
        if any(sign in text for sign in signs):
            return remedy
    if any(" ERROR " in line for line in tail):
        return CORRECT
    if any("Traceback" in line or _is_exception(line) for line in tail):
        return REPORT
    return KILLED


def end_of_log(path: str | Path) -> list[str]:
    """Return the error that a log ends with, shortened, or its last lines."""
    lines = last_lines(path, MOST_LINES)
    begins = [number for number, line in enumerate(lines) if RECORD.match(line)]
    if not begins or " ERROR " not in lines[begins[-1]]:
        return from_error(lines[-LINES:])
    error = lines[begins[-1] :]
    # A long table, whose last line often is the advice.
    return error if len(error) <= LINES else [*error[: LINES - 2], "...", error[-1]]


def from_error(tail: Sequence[str]) -> list[str]:
    """Leave out what comes before the first line that reports an error, if there is one."""
    errors = [number for number, line in enumerate(tail) if " ERROR " in line]
    return list(tail[errors[0] if errors else 0 :])


def last_lines(path: str | Path, count: int = LINES) -> list[str]:
    """Return the last lines of a text file that are not blank; none without a readable file.

    A line that ends in carriage returns, as a progress bar prints, counts with its last state.
    """
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - TAIL_BYTES, 0))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    lines = [line.rstrip().rpartition("\r")[2] for line in text.split("\n")]
    shown = ["".join(letter for letter in line if letter.isprintable()) for line in lines]
    return [_cut(line) for line in shown if line.strip()][-count:]


def _cut(line: str) -> str:
    """Cut a long line after a word."""
    return line if len(line) <= WIDTH else f"{line[:WIDTH].rpartition(' ')[0] or line[:WIDTH]} ..."


def _is_exception(line: str) -> bool:
    name, colon, _ = line.partition(":")
    return bool(colon) and name.rpartition(".")[2].endswith(("Error", "Exception", "Interrupt"))


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
