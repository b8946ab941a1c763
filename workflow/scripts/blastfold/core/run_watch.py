"""Jobs that end with the Snakemake that started them.

Snakemake does not take its jobs with it when it is killed. Such a job would write on while the same
command, started again, makes the same files: an old result could replace a new one, and files could
appear after the failed new job was cleaned up, next to others that are missing.
"""

import contextlib
import logging
import os
import select
import signal
import threading
import time
from pathlib import Path

from blastfold.core.errors import BlastfoldError

VARIABLE = "BLASTFOLD_RUN"
"""Environment variable that tells a job the process of its Snakemake."""

GRACE = 10.0
"""Seconds that a training has to save its state."""


def announce_run() -> None:
    """Tell the jobs that this process starts that they belong to it."""
    os.environ[VARIABLE] = f"{os.getpid()} {_process_namespace()}"


def end_with_run(grace: float = GRACE) -> None:
    """Let this process end when the Snakemake that announced itself has ended.

    Nothing happens without an announcement, in a container with process numbers of its own, and on
    systems other than Linux.

    Args:
        grace: Seconds between SIGTERM, upon which a training saves its state, and SIGKILL.

    Raises:
        BlastfoldError: Snakemake has ended already.
    """
    number, _, namespace = os.environ.get(VARIABLE, "").partition(" ")
    if not number.isdecimal() or namespace != _process_namespace():
        return
    try:
        process = os.pidfd_open(int(number))
    except ProcessLookupError:
        raise BlastfoldError("Snakemake has ended before this job began; so does the job") from None
    except (AttributeError, OSError):
        # Another system than Linux, or one older than 5.3.
        return
    threading.Thread(target=_watch, args=(process, grace), daemon=True).start()


def _watch(process: int, grace: float) -> None:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.poll()
    # The terminal may be gone together with Snakemake.
    with contextlib.suppress(OSError):
        logging.getLogger(__name__).error("Snakemake has ended; this job ends with it")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os.kill(os.getpid(), signal.SIGKILL)


def _process_namespace() -> str:
    """Return the name of the space in which process numbers hold; empty where there is none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
