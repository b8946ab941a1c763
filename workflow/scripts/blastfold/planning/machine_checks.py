"""What an environment and its disk must have; needs nothing but Python.

These checks take milliseconds and run at the start of every run. Those that take longer are in
:mod:`blastfold.planning.doctor`.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

OK, WARNING, PROBLEM = "ok", "warning", "problem"

PYTHON = (3, 11)
GPU_MARK = "gpu"
"""File of the environment that ``make env GPU=1`` writes."""

NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afs", "ceph"),
        *("lustre", "gpfs", "beegfs", "glusterfs", "pvfs2", "orangefs", "panfs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.juicefs"),
    }
)
"""Types of file systems whose disks are on another machine."""

SPARE = 5.0
"""GB (2**30 bytes) that an experiment needs for tables, figures and logs, at least."""

SECONDS = 20
"""How long a program of the machine may take to answer."""


class Finding(NamedTuple):
    """What one check found.

    Attributes:
        level: ``ok``, ``warning`` or ``problem``.
        text: What was found.
        remedy: What to do; empty where all is well.
    """

    level: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.level:8} {self.text}" + (f"\n{'':8} -> {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Machine:
    """Where the checks look; tests give folders of their own.

    Attributes:
        root: The repository.
        environment: The Python environment.
        results: Folder of the results.
        mounts: The list of mounted file systems.
        devices: Folder of device files.
        run: Runs a program and returns what it prints; None where that fails.
    """

    root: Path
    environment: Path
    results: Path
    mounts: Path = Path("/proc/mounts")
    devices: Path = Path("/dev")
    run: Callable[[list[str]], str | None] = lambda command: _output_of(command)


def _output_of(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def urgent_findings(root: Path, results: Path) -> list[Finding]:
    """Return the warnings and problems to report at the start of every run.

    Packages that are absent are not reported: with conda each stage has its own.

    Args:
        root: The repository.
        results: Folder of the results.
    """
    machine = Machine(root, Path(sys.prefix), results)
    findings = [check_python(sys.version_info[:3]), *check_lock(machine)]
    urgent = [finding for finding in findings if finding.level == PROBLEM]
    others = (check_writable(machine), check_file_system(machine), check_disk(machine, None))
    return urgent + [finding for finding in others if finding.level != OK]


def check_python(version: tuple[int, ...]) -> Finding:
    """Compare the version of Python with the one of the locks."""
    text = f"Python {'.'.join(map(str, version))}"
    if tuple(version[:2]) == PYTHON:
        return Finding(OK, text)
    wanted = ".".join(map(str, PYTHON))
    return Finding(PROBLEM, f"{text}; the locks are for {wanted}", "make env")


def check_lock(machine: Machine) -> Iterator[Finding]:
    """Compare the installed packages with the lock."""
    gpu = (machine.environment / GPU_MARK).exists()
    lock = machine.root / ("requirements-gpu.lock" if gpu else "requirements.lock")
    remedy = "make env GPU=1" if gpu else "make env"
    if not lock.exists():
        yield Finding(PROBLEM, f"{lock.name} is missing", "get the whole repository again")
        return
    pins = locked_versions(lock.read_text("utf-8"))
    found = {name: _installed(name) for name in pins}
    absent = [name for name, version in found.items() if version is None]
    other = [
        f"{name} {version} (lock: {pins[name]})"
        for name, version in found.items()
        if version not in (None, pins[name])
    ]
    if other:
        text = f"{len(other)} packages have another version than {lock.name}: {_few(other)}"
        yield Finding(PROBLEM, text, remedy)
    if absent:
        text = f"{len(absent)} packages of {lock.name} are not installed: {_few(absent)}"
        yield Finding(WARNING, text, f"{remedy}; with conda each stage has its own packages")
    if not other and not absent:
        yield Finding(OK, f"{len(pins)} packages are those of {lock.name}")


def locked_versions(lock: str) -> dict[str, str]:
    """Return the pinned versions of a lock that apply to this machine, by name."""
    pins = {}
    for line in lock.splitlines():
        if not line or line.startswith(("#", " ", "-")):
            continue
        requirement = Requirement(line.rstrip("\\ ").split(" --hash")[0])
        if requirement.marker is None or requirement.marker.evaluate():
            pins[requirement.name] = str(requirement.specifier).removeprefix("==")
    return pins


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_writable(machine: Machine) -> Finding:
    """Try to write where results, logs and Snakemake's state will be."""
    for folder in (machine.results, machine.root / ".snakemake"):
        place = existing_folder(folder)
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            text = f"'{place}' cannot be written to ({error.strerror})"
            return Finding(PROBLEM, text, "allow writing, or link results to another disk")
    return Finding(OK, f"'{existing_folder(machine.results)}' can be written to")


def check_file_system(machine: Machine) -> Finding:
    """Report whether results are on a disk of another machine."""
    kind = file_system_of(existing_folder(machine.results), machine.mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        remedy = "add --latency-wait 60 on several machines; a local disk is faster and safer"
        return Finding(WARNING, f"results are on a network file system ({kind})", remedy)
    return Finding(OK, f"results are on a local file system ({kind})")


def file_system_of(folder: Path, mounts: Path) -> str:
    """Return the type of the file system of a folder; "unknown" where nothing lists it."""
    try:
        lines = mounts.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    place, best, kind = str(folder.resolve()), "", "unknown"
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        # A space in a path is written as \040.
        mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1])
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind


def check_disk(
    machine: Machine, needs: Mapping[str, float] | None, left_out: Sequence[str] = ()
) -> Finding:
    """Compare the free space with what an experiment needs.

    Args:
        machine: Where to look.
        needs: GB (2**30 bytes) at most by what needs them, see
            :func:`blastfold.planning.cost_model.disk_needs`; None where there is no experiment.
        left_out: What is not counted, in words.
    """
    place = existing_folder(machine.results)
    free = shutil.disk_usage(place).free / 2**30
    needed = sum((needs or {}).values())
    text = f"{free:.1f} GB free at '{place}'"
    if needs:
        parts = ", ".join(f"{name} {size:.1f}" for name, size in needs.items())
        text += f"; at most {needed:.1f} GB are needed ({parts}), without tables and figures"
    if left_out:
        text += f"; not counted: {'; '.join(left_out)}"
    if free < needed or free < SPARE / 10:
        remedy = "free space, or make results a link to a larger disk"
        if needs and needs["features"] > 0:
            remedy += "; keep_features: false removes features after their last head"
        return Finding(PROBLEM, text, remedy)
    if free < needed + SPARE:
        return Finding(WARNING, text, f"{needed + SPARE:.1f} GB or more are safe")
    return Finding(OK, text)


def existing_folder(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _few(items: Iterable[str], most: int = 3) -> str:
    items = list(items)
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
