"""Jobs that end with the Snakemake that started them.

Snakemake does not take its jobs with it when it is killed. Such a job would write on while the same
command, started again, makes the same files: an old result could replace a new one, and files could
appear after the failed new job was cleaned up, next to others that are missing.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from pathlib import Path

from blastfold.core.errors import BlastfoldError

VARIABLE = "BLASTFOLD_RUN"
"""Environment variable that tells a job the process of its Snakemake."""

QUIET = "BLASTFOLD_QUIET"
"""Environment variable with which jobs print errors alone; their log files have everything."""

GRACE = 10.0
"""Seconds that a training has to save its state."""


INTERVAL = 0.2
"""Seconds between two looks at Snakemake. A restart takes longer."""


def announce_run() -> None:
    """Tell the jobs that this process starts that they belong to it."""
    number = os.getpid()
    os.environ[VARIABLE] = f"{number} {_start_of(number) or ''} {_process_namespace()}"


def quieten_libraries(verbose: bool) -> None:
    """Let TensorFlow in the jobs of this process log warnings and errors alone.

    Args:
        verbose: Whether its other lines (instructions of the processor, devices) are wanted.
    """
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")


def end_with_run(grace: float = GRACE) -> None:
    """Let this process end when the Snakemake that announced itself has ended.

    Nothing happens without an announcement, in a container with process numbers of its own, and on
    systems other than Linux.

    Args:
        grace: Seconds between SIGTERM, upon which a training saves its state, and SIGKILL.

    Raises:
        BlastfoldError: Snakemake has ended already.
    """
    words = os.environ.get(VARIABLE, "").split(" ")
    if len(words) != 3 or not all(words) or words[2] != _process_namespace():
        return
    number, start, _ = words
    if _start_of(number) != start:
        raise BlastfoldError("Snakemake has ended before this job began; so does the job")
    threading.Thread(target=_watch, args=(number, start, grace), daemon=True).start()


def _watch(number: str, start: str, grace: float) -> None:
    while _start_of(number) == start:
        time.sleep(INTERVAL)
    # The terminal may be gone together with Snakemake.
    with contextlib.suppress(OSError):
        logging.getLogger(__name__).error("Snakemake has ended; this job ends with it")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os.kill(os.getpid(), signal.SIGKILL)


def _start_of(number: int | str) -> str | None:
    """Return when a process began, in ticks since the start of the machine.

    Numbers of processes are used again; together with this one they are not. None where no such
    process runs (an ended one whose parent did not ask for it does not), and on systems without
    ``/proc``. The fields are those of the manual page proc(5).
    """
    try:
        fields = (
            Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return fields[19] if fields[0] not in "ZX" else None


def _process_namespace() -> str:
    """Return the name of the space in which process numbers hold; empty where there is none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
