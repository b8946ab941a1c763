"""One log set-up for every rule: the whole output in the log file, progress on the terminal."""

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from blastfold.core.errors import BlastfoldError


@contextlib.contextmanager
def log_to(path: str | os.PathLike) -> Iterator[None]:
    """Send everything a rule prints to its log file.

    The file descriptors themselves are redirected, because TensorFlow and OpenCV print from
    C++. Messages of level INFO and above also reach the terminal, so that progress is visible.
    A :class:`BlastfoldError` ends the process with its message alone; any other exception
    leaves its traceback in the log file and on the terminal.

    Args:
        path: The rule's log file; its folder is made when it does not exist.

    Raises:
        SystemExit: With status 1 when a BlastfoldError was raised inside.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with Path(path).open("w", encoding="utf-8") as log_file, os.fdopen(saved[1], "w") as terminal:
        for descriptor in (1, 2):
            os.dup2(log_file.fileno(), descriptor)
        handlers = [logging.StreamHandler(sys.stderr), logging.StreamHandler(terminal)]
        _install(handlers)
        try:
            yield
        except BlastfoldError as error:
            logging.getLogger("blastfold").error("%s", error)
            raise SystemExit(1) from None
        except Exception:
            terminal.write(traceback.format_exc())
            terminal.flush()
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
            os.close(saved[0])
            _remove(handlers)


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
