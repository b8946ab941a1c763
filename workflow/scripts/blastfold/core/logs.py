"""One log set-up for every rule: the whole output in the log file, progress on the terminal."""

import contextlib
import errno
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from blastfold.core.errors import BlastfoldError
from blastfold.core.run_watch import QUIET, end_with_run


@contextlib.contextmanager
def log_to(path: str | os.PathLike) -> Iterator[None]:
    """Send everything a rule prints to its log file.

    The file descriptors themselves are redirected, because TensorFlow and OpenCV print from
    C++. Messages of level INFO and above also reach the terminal, or errors alone where a console
    prints the progress of the run (:mod:`blastfold.core.console`).
    A :class:`BlastfoldError` ends the process with its message alone, and so does a full disk; any
    other exception leaves its traceback in the log file and on the terminal. The process also ends
    when Snakemake does.

    Args:
        path: The rule's log file; its folder is made when it does not exist.

    Raises:
        SystemExit: With status 1 when a BlastfoldError was raised inside or the disk is full.
    """
    _flush()
    log_descriptor = _open_log(path)
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with os.fdopen(saved[1], "w") as terminal:
        for descriptor in (1, 2):
            os.dup2(log_descriptor, descriptor)
        os.close(log_descriptor)
        handlers = [logging.StreamHandler(sys.stderr), logging.StreamHandler(terminal)]
        if os.environ.get(QUIET):
            handlers[1].setLevel(logging.ERROR)
        _install(handlers)
        try:
            end_with_run()
            yield
        except BlastfoldError as error:
            logging.getLogger("blastfold").error("%s", error)
            raise SystemExit(1) from None
        except Exception as error:
            if place := full_disk(error):
                logging.getLogger("blastfold").error(
                    "The disk is full: %s could not be written. Make room, then start the same "
                    "command again",
                    place,
                )
                raise SystemExit(1) from None
            # Into the log file; Python prints it on the terminal when the script ends.
            with contextlib.suppress(OSError):
                traceback.print_exc()
            raise
        finally:
            _flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
            os.close(saved[0])
            _remove(handlers)


def full_disk(error: BaseException | None) -> str | None:
    """Return what could not be written where a full disk is behind an error; None for others.

    Libraries wrap the error of the system, so that its causes and its text are searched too.
    """
    while error is not None:
        if isinstance(error, OSError) and (
            error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)
        ):
            return f"'{error.filename}'" if error.filename else "a result"
        error = error.__cause__ or error.__context__
    return None


def _open_log(path: str | os.PathLike) -> int:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    except OSError as error:
        raise SystemExit(f"The log file '{path}' cannot be written: {error.strerror}") from None


def _flush() -> None:
    """Empty the buffers; what a full disk cannot take is lost."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()


def _install(handlers: list[logging.Handler]) -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)


def _remove(handlers: list[logging.Handler]) -> None:
    root = logging.getLogger()
    for handler in handlers:
        root.removeHandler(handler)
