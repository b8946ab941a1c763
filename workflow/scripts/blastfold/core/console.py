"""What a run prints: a plan, progress by time, the warnings once, and where the answer is.

Snakemake prints lines for every job; a run of minutes then has more than a thousand. This handler
of its logger prints less on the terminal. The file below ``.snakemake/log`` keeps everything, and
``--verbose`` prints it.

Times are those of earlier runs: seconds of each job by its log file, else the mean of its rule. A
job of a rule that was never run has no time, and then no end is predicted.
"""

import json
import logging
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TextIO

from blastfold.core.errors import BlastfoldError
from blastfold.core.failures import TAIL_BYTES, last_lines
from blastfold.core.files import write_json
from blastfold.core.plurals import agreeing

EVERY = 20.0
"""Seconds between two lines of progress, at least."""

MOST_NAMED, MOST_WARNINGS = 3, 8
"""Running jobs of a line of progress and warnings at the end that are printed."""

HIDDEN = (
    *("JOB_INFO", "GROUP_INFO", "JOB_STARTED", "JOB_FINISHED", "JOB_ERROR", "GROUP_ERROR"),
    *("PROGRESS", "RESOURCES_INFO", "RUN_INFO", "WORKFLOW_STARTED", "SHELLCMD"),
)
"""Events of Snakemake's logger in whose place this handler prints."""

PREAMBLE = (
    *("Building DAG of jobs", "Using shell:", "Select jobs to execute", "Execute "),
    *("Conda environments: ignored", "Provided ", "Assuming unrestricted shared filesystem"),
    *("Activating conda environment", "Removing temporary output", "Exiting because a job"),
    *("Touching output file", "Singularity containers: ignored", "Trying to restart"),
    *("Complete log", "Elapsed time", "Group jobs:"),
    # Of --report, once for every file and rule.
    *("Adding ", "Loading script code for rule"),
)
"""Starts of its messages without an event that say nothing about the experiment."""

NOTHING_TO_DO = "Nothing to be done"

FAILURES = (
    re.compile(r"Missing metadata for file .* non critical warning", re.DOTALL),
    re.compile(
        r"RuleException:\nCalledProcessError in file .*returned non-zero exit status", re.DOTALL
    ),
    re.compile(r"Exiting because a job execution failed"),
    re.compile(r"WorkflowError:\nAt least one job did not complete successfully"),
)
"""Errors of Snakemake about a job that failed by itself: the end of the run has the lines of its
log and the remedy. That a job was killed, or that its outputs are missing, is printed. The first
is what a report warns of for every file that does not exist."""

_INPUT_ERROR = re.compile(
    r"InputFunctionException in rule .*?\n  InputError: (.*?)\nWildcards:", re.DOTALL
)

_EPOCH = re.compile(r"epoch (\d+/\d+)")
_WARNING = re.compile(r"^\d\d:\d\d:\d\d WARNING (?P<text>.*)$")


class Durations:
    """Seconds of jobs in earlier runs.

    Args:
        path: JSON file: seconds of jobs by the name of their log file, without ``.log``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.jobs: dict[str, float] = {}
        try:
            known = json.loads(self.path.read_text("utf-8"))
            self.jobs = {str(name): float(seconds) for name, seconds in known["seconds"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Without it nothing but a prediction of time is missing.
            self.jobs = {}

    def of(self, rule: str, name: str) -> float | None:
        """Return the seconds of a job, else the mean of its rule; None for a rule never run."""
        if name in self.jobs:
            return self.jobs[name]
        known = [seconds for job, seconds in self.jobs.items() if job.partition("/")[0] == rule]
        return sum(known) / len(known) if known else None

    def record(self, name: str, seconds: float) -> None:
        """Take the seconds of a job that has ended."""
        self.jobs[name] = round(seconds, 2)

    def write(self) -> None:
        """Store all seconds; what cannot be written is not known next time."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json({"seconds": dict(sorted(self.jobs.items()))}, self.path)
        except (OSError, BlastfoldError):
            return


class PlannedJob(NamedTuple):
    """A job that has to run: its number, rule, name (that of its log) and threads."""

    number: int
    rule: str
    name: str
    threads: int


class Running(NamedTuple):
    """A job that runs: rule, wildcards in words, log file, and when it began (clock)."""

    rule: str
    about: str
    log: str
    start: float


def expected_seconds(
    jobs: Iterable[PlannedJob], durations: Durations, cores: int
) -> tuple[float, Counter]:
    """Return the seconds that jobs take on all cores together, and the jobs of unknown time.

    Jobs that wait for others leave cores idle, so that it is a lower bound of the time until the
    end; the longest job is another one.

    Returns:
        The larger bound, in seconds, and the number of jobs without a time, by rule.
    """
    total, longest, unknown = 0.0, 0.0, Counter()
    for job in jobs:
        seconds = durations.of(job.rule, job.name)
        if seconds is None:
            unknown[job.rule] += 1
            continue
        total += seconds * min(job.threads, cores)
        longest = max(longest, seconds)
    return max(total / max(cores, 1), longest), unknown


def clock_text(seconds: float) -> str:
    """Return a time as text, for instance ``45 s``, ``3 min`` or ``2 h 10 min``."""
    if round(seconds) < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def elapsed_text(seconds: float) -> str:
    """Return a measured time as text: below an hour to the second, for instance ``3 min 20 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if 1 <= minutes < 60 and rest else clock_text(seconds)


class RunConsole(logging.Handler):
    """Prints a run on the terminal in place of Snakemake's own lines.

    Args:
        durations: Seconds of earlier jobs; those of this run are added.
        cores: Cores that jobs share.
        stream: Where to print; by default the standard error output.
        clock: Seconds; tests give their own.
        answer: Returns the lines about where the answer is, for a run with nothing to do.
    """

    def __init__(
        self,
        durations: Durations,
        cores: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        answer: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        super().__init__(logging.INFO)
        self.durations, self.cores, self.stream, self.clock = durations, cores, stream, clock
        self.answer = answer
        self.planned: dict[int, PlannedJob] = {}
        self.running: dict[int, Running] = {}
        self.logs: list[str] = []
        self.started = self.printed = clock()
        self.done = 0
        self.active = False

    def begin(self, plan: Iterable[str], jobs: Iterable[PlannedJob]) -> None:
        """Print the plan of a run that starts now."""
        self.planned = {job.number: job for job in jobs}
        self.started = self.printed = self.clock()
        self.active = True
        for line in plan:
            self._print(line)

    def emit(self, record: logging.LogRecord) -> None:
        """Take an event of Snakemake's logger."""
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "JOB_INFO":
            about = ", ".join(map(str, (record.wildcards or {}).values()))
            log = str(next(iter(record.log or ()), ""))
            self.running[record.jobid] = Running(record.rule_name, about, log, self.clock())
            self.logs += [log] if log else []
        elif event == "JOB_FINISHED":
            self._finish(record.job_id)
        elif event == "JOB_ERROR":
            job = self.running.pop(record.jobid, None)
            log = f"; its log: {job.log}" if job and job.log else ""
            self._print(f"FAILED  {record.rule_name}{_bracketed(job.about if job else '')}{log}")
        elif str(record.msg or "").startswith(NOTHING_TO_DO):
            for line in self.answer():
                self._print(line)
        else:
            return
        self.tick()

    def _finish(self, number: int) -> None:
        job = self.running.pop(number, None)
        planned = self.planned.pop(number, None)
        self.done += 1
        if job and planned:
            self.durations.record(planned.name, self.clock() - job.start)

    def tick(self) -> None:
        """Print a line of progress when the last one is long enough ago."""
        now = self.clock()
        if self.active and now - self.printed >= EVERY:
            self.printed = now
            self._print(self.progress())

    def progress(self) -> str:
        """Return the line of progress: time, jobs, what is left, what runs."""
        now = self.clock()
        left = expected_seconds(self.planned.values(), self.durations, self.cores)
        spent = sum(self._spent(number, job, now) for number, job in self.running.items())
        total = self.done + len(self.planned)
        text = f"{elapsed_text(now - self.started)} so far, {self.done} of {total} jobs done"
        if not left[1]:
            rest = max(left[0] - spent / max(self.cores, 1), 0)
            text += f", at least {clock_text(rest)} left"
        running = list(self.running.values())
        shown = [_running_text(job, now) for job in running[:MOST_NAMED]]
        if len(running) > MOST_NAMED:
            shown.append(f"{len(running) - MOST_NAMED} more")
        return text + (f". Running: {'; '.join(shown)}" if shown else "")

    def _spent(self, number: int, job: Running, now: float) -> float:
        """Return the core-seconds of a running job that its expected time already has."""
        planned = self.planned.get(number)
        expected = self.durations.of(planned.rule, planned.name) if planned else None
        threads = min(planned.threads, self.cores) if planned else 0
        return threads * min(now - job.start, expected or 0.0)

    def end(self, lines: Iterable[str]) -> None:
        """Print the collected warnings and the last lines of a run, and store the times."""
        if not self.active:
            return
        self.active = False
        self.durations.write()
        warnings = collected_warnings(self.logs)
        for text, count in warnings.most_common(MOST_WARNINGS):
            self._print(f"warning{f' ({count} times)' if count > 1 else ''}: {text}")
        if len(warnings) > MOST_WARNINGS:
            self._print(f"{len(warnings) - MOST_WARNINGS} more warnings are in the log files")
        self._print(f"{self.done} jobs in {elapsed_text(self.clock() - self.started)}")
        for line in lines:
            self._print(line)

    def _print(self, text: str) -> None:
        stream = self.stream or sys.stderr
        try:
            print(agreeing(text), file=stream, flush=True)
        except (OSError, ValueError):
            # The terminal is gone; the run continues.
            self.active = False


def is_wanted(quiet: Iterable, verbose: bool, dry_run: bool) -> bool:
    """Return whether a run prints its console: with the quietness of the profile, no other one.

    Args:
        quiet: What Snakemake is quiet about, members of its ``Quietness``.
        verbose: Whether ``--verbose`` was given.
        dry_run: Whether nothing is run.
    """
    names = {getattr(member, "name", str(member)) for member in quiet or ()}
    return names == {"HOST", "REASON"} and not verbose and not dry_run


class HiddenLines(logging.Filter):
    """Hides Snakemake's own lines on the terminal while a console prints in their place."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a message is to be printed by Snakemake."""
        event = getattr(getattr(record, "event", None), "name", "")
        text = str(record.msg or "")
        if event in HIDDEN or any(failure.match(text) for failure in FAILURES):
            return False
        return record.levelno > logging.INFO or not text.startswith(PREAMBLE)


class PlainErrors(logging.Formatter):
    """Leaves out the traceback of an error of the data; log files keep it.

    Args:
        inner: Snakemake's own formatter.
    """

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self.inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a message."""
        text = self.inner.format(record)
        found = _INPUT_ERROR.match(text)
        return found[1] if found else text


def install(logger: logging.Logger, console: RunConsole) -> bool:
    """Let a console print in place of Snakemake's stream handler.

    Returns:
        Whether there is such a handler; with a plugin of the user's choice there is none.
    """
    streams = [handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"]
    for handler in streams:
        handler.addFilter(HiddenLines())
        handler.setFormatter(PlainErrors(handler.formatter))
    if streams:
        logger.addHandler(console)
    return bool(streams)


def keep_ticking(logger: logging.Logger, console: RunConsole, seconds: float = EVERY / 4) -> None:
    """Print progress also while no job ends, until the run has ended."""

    def watch() -> None:
        while console.active and console in logger.handlers:
            console.tick()
            time.sleep(seconds)

    threading.Thread(target=watch, daemon=True).start()


def collected_warnings(logs: Iterable[str]) -> Counter:
    """Return the warnings at the ends of log files and how often each is there, numbers apart."""
    counts: Counter = Counter()
    first: dict[str, str] = {}
    for path in logs:
        for line in _tail(path):
            if found := _WARNING.match(line):
                kind = re.sub(r"\d+(?:\.\d+)?", "#", found["text"])
                counts[first.setdefault(kind, found["text"])] += 1
    return counts


def _tail(path: str) -> list[str]:
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - TAIL_BYTES, 0))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _running_text(job: Running, now: float) -> str:
    text = f"{job.rule}{_bracketed(job.about)} {clock_text(now - job.start)}"
    found = [_EPOCH.search(line) for line in last_lines(job.log)] if job.log else []
    epochs = [match[1] for match in found if match]
    return f"{text}, epoch {epochs[-1]}" if epochs else text


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def job_name(logs: Iterable[str], folder: str, rule: str, wildcards: Mapping[str, str]) -> str:
    """Return the name of a job: rule and its log file below the folder of logs, without ending.

    Args:
        logs: Its log files.
        folder: Folder of logs of the experiment.
        rule: Its rule.
        wildcards: Its wildcards, which name a job without a log.
    """
    for log in logs:
        path = Path(log)
        if path.is_relative_to(folder):
            inside = path.relative_to(folder).with_suffix("").as_posix()
            return inside if inside.partition("/")[0] == rule else f"{rule}/{inside}"
    return "/".join([rule, *map(str, wildcards.values())])
