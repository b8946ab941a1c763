"""The console of a run: what it prints of Snakemake's events, and the times that it predicts."""

import io
import logging
from enum import Enum
from types import SimpleNamespace

import pytest

from blastfold.core.console import (
    EVERY,
    Durations,
    HiddenLines,
    PlainErrors,
    PlannedJob,
    RunConsole,
    clock_text,
    collected_warnings,
    elapsed_text,
    expected_seconds,
    install,
    is_wanted,
    job_name,
)

Event = Enum("Event", ["JOB_INFO", "JOB_FINISHED", "JOB_ERROR", "PROGRESS", "ERROR"])
JOBS = [
    PlannedJob(1, "train", "train/a", 2),
    PlannedJob(2, "train", "train/b", 2),
    PlannedJob(3, "draw", "draw/a", 1),
]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def console(tmp_path):
    durations = Durations(tmp_path / "benchmarks" / "seconds.json")
    return RunConsole(durations, 2, io.StringIO(), Clock())


def event(kind, **values):
    return SimpleNamespace(event=kind, levelno=logging.INFO, msg=None, **values)


def started(number, rule, log=()):
    names = {"rule_name": rule, "wildcards": {"dataset": "cells"}, "log": list(log)}
    return event(Event.JOB_INFO, jobid=number, **names)


def printed(console):
    return console.stream.getvalue().splitlines()


def test_progress_is_by_time_and_names_what_runs(console, tmp_path):
    console.durations.jobs = {"train/a": 100.0, "draw/x": 10.0}
    console.begin(["A plan"], JOBS)
    log = tmp_path / "a.log"
    log.write_text("12:00:00 INFO cells/fold-0: epoch 3/8: loss 1\n")
    console.emit(started(1, "train", [log]))
    console.clock.now = EVERY - 1
    console.tick()
    assert printed(console) == ["A plan"]
    console.clock.now = 50.0
    console.tick()
    # Two trainings of 100 s on both cores and a drawing of 10 s on one of two are 205 s, less 50 s.
    assert printed(console)[1:] == [
        "50 s so far, 0 of 3 jobs done, at least 3 min left. Running: train (cells) 50 s, epoch 3/8"
    ]
    console.emit(event(Event.JOB_FINISHED, job_id=1))
    console.clock.now = 60.0
    # The other training is now expected to take 50 s too: 110 s on two cores.
    assert console.progress() == "1 min so far, 1 of 3 jobs done, at least 55 s left"


def test_a_rule_that_never_ran_has_no_time(console):
    console.begin([], JOBS)
    assert "left" not in console.progress()
    assert expected_seconds(JOBS, console.durations, 2)[1] == {"train": 2, "draw": 1}


def test_a_failed_job_is_named_at_once_with_its_log(console):
    console.begin([], JOBS)
    console.emit(started(2, "train", ["logs/b.log"]))
    console.emit(event(Event.JOB_ERROR, jobid=2, rule_name="train"))
    assert printed(console) == ["FAILED  train (cells); its log: logs/b.log"]


def test_times_are_kept_for_the_next_run(console):
    console.begin([], JOBS)
    console.emit(started(1, "train"))
    console.clock.now = 7.0
    console.emit(event(Event.JOB_FINISHED, job_id=1))
    console.end(["The end"])
    assert printed(console) == ["1 job in 7 s", "The end"]
    again = Durations(console.durations.path)
    assert (again.of("train", "train/a"), again.of("train", "train/b")) == (7.0, 7.0)
    assert again.of("draw", "draw/a") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"seconds": 1}', '{"seconds": {"a": "b"}}'])
def test_a_damaged_file_of_times_stops_nothing(tmp_path, content):
    (tmp_path / "seconds.json").write_text(content)
    assert Durations(tmp_path / "seconds.json").jobs == {}


def test_warnings_are_printed_once(tmp_path):
    lines = [f"12:00:0{number} WARNING fold {number}: 3 images\n" for number in range(3)]
    (tmp_path / "a.log").write_text("".join([*lines, "12:00:09 WARNING other\n", "no warning\n"]))
    found = collected_warnings([tmp_path / "a.log", tmp_path / "absent.log"])
    assert found == {"fold 0: 3 images": 3, "other": 1}


def test_snakemake_s_lines_are_hidden_and_errors_are_not():
    hidden = HiddenLines()
    assert not hidden.filter(event(Event.PROGRESS))
    assert hidden.filter(event(Event.ERROR))
    for level, text, shown in [
        (logging.INFO, "Building DAG of jobs...", False),
        (logging.INFO, "cells: 3 files found", True),
        (logging.WARNING, "Execute with care", True),
    ]:
        record = logging.LogRecord("snakemake", level, "", 0, text, (), None)
        assert hidden.filter(record) == shown


def test_a_run_with_nothing_to_do_ends_with_the_answer():
    stream = io.StringIO()
    console = RunConsole(Durations("none.json"), 1, stream, answer=lambda: ["The answer: page"])
    said = "Nothing to be done (all requested files are present and up to date)."
    console.emit(logging.LogRecord("snakemake", logging.INFO, "", 0, said, (), None))
    assert stream.getvalue() == "The answer: page\n"


CALLED = 'RuleException:\nCalledProcessError in file "a.smk", line 8:\nCommand "python a.py" '


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{CALLED}returned non-zero exit status 1.", None),
        (f"{CALLED}died with <Signals.SIGKILL: 9>.", "SIGKILL"),
        ("RuleException:\nMissingOutputException in rule a", "MissingOutputException"),
        ("Exiting because a job execution failed. Look above for error messages", None),
        ("WorkflowError:\nAt least one job did not complete successfully.", None),
        ("Missing metadata for file a.md. This is a non critical warning.", None),
        ("WorkflowError:\nconfig.yaml is not valid:", "config.yaml is not valid"),
    ],
)
def test_only_failures_that_the_end_explains_are_hidden(text, shown):
    """The texts are those of Snakemake 9.27; the end of the run has log and remedy of a job."""
    record = logging.LogRecord("snakemake", logging.ERROR, "", 0, text, (), None)
    assert HiddenLines().filter(record) == (shown is not None)
    assert shown is None or shown in record.msg


def test_an_error_of_the_data_is_printed_without_a_traceback():
    text = (
        'InputFunctionException in rule import_dataset in file "rules/datasets.smk", line 51:\n'
        "Error:\n  InputError: data set gone: the folder raw/gone does not exist. Put it there.\n"
        "Wildcards:\n  dataset=gone\nTraceback:\n  File a.py, line 1, in raw_digest"
    )
    record = logging.LogRecord("snakemake", logging.ERROR, "", 0, text, (), None)
    assert HiddenLines().filter(record)
    expected = "data set gone: the folder raw/gone does not exist. Put it there."
    assert PlainErrors(None).format(record) == expected
    assert record.getMessage() == text


def test_a_plugin_of_the_user_s_choice_stays_alone(console):
    logger = logging.Logger("snakemake")
    assert not install(logger, console)
    assert logger.handlers == []
    stream = logging.StreamHandler(io.StringIO())
    stream.name = "DefaultStreamHandler"
    logger.addHandler(stream)
    assert install(logger, console)
    logger.info("Building DAG of jobs...")
    logger.info("A line")
    assert stream.stream.getvalue() == "A line\n"


@pytest.mark.parametrize(
    ("quiet", "verbose", "dry_run", "wanted"),
    [
        (("HOST", "REASON"), False, False, True),
        (("HOST", "REASON"), True, False, False),
        (("HOST", "REASON"), False, True, False),
        ((), False, False, False),
        (("HOST", "PROGRESS", "REASON", "RULES"), False, False, False),
    ],
)
def test_the_console_is_that_of_the_profile(quiet, verbose, dry_run, wanted):
    members = Enum("Quietness", ["HOST", "REASON", "PROGRESS", "RULES", "ALL"])
    assert is_wanted([members[name] for name in quiet], verbose, dry_run) == wanted


def test_names_of_jobs_are_those_of_their_logs():
    assert job_name(["logs/x/train/a/b.log"], "logs/x", "train", {}) == "train/a/b"
    assert job_name(["logs/x/page.log"], "logs/x", "write", {}) == "write/page"
    assert job_name([], "logs/x", "all", {"dataset": "cells"}) == "all/cells"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (90, "2 min"), (7800, "2 h 10 min")]
)
def test_times_are_short(seconds, text):
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59.6, "1 min"), (80, "1 min 20 s"), (3540.4, "59 min"), (7800, "2 h 10 min")],
)
def test_two_lines_of_progress_differ(seconds, text):
    assert elapsed_text(seconds) == text
