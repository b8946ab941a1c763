"""A stand-in for the conda program, for tests without conda and without a network.

Snakemake's conda support runs unchanged and calls this program. An environment is built from its
file alone: it gets what the file lists, in the versions it lists, and what these packages require
themselves, as links into the locked environment that runs the tests. A rule whose environment
lacks a package fails here just as it would fail with conda. All scripts of an environment are
forked from one of its interpreters, which has loaded what the environment has.
"""

import argparse
import functools
import json
import shlex
import shutil
import sys
import tempfile
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support import python_server
from support.environment_files import SAME_PACKAGE, read_environment, satisfies

FOLDER = Path(__file__).resolve().parent


def install(prefix: Path) -> Path:
    """Put the program, as Snakemake looks for it, under a prefix; return the folder for PATH."""
    programs = prefix / "bin"
    programs.mkdir(parents=True)
    module = [sys.executable, "-m", "support.stand_in_conda", "--base", str(prefix)]
    command = shlex.join(["env", f"PYTHONPATH={FOLDER.parent}", *module])
    (programs / "conda").write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    (programs / "conda").chmod(0o755)
    (programs / "activate").write_text('export PATH="$1/bin:$PATH"\n', encoding="utf-8")
    return programs


def create_environment(file: Path, prefix: Path) -> None:
    """Build an environment from its file.

    Raises:
        SystemExit: If the locked environment has a package of the file not at all or in another
            version.
    """
    wanted = read_environment(file)
    if not satisfies("{}.{}".format(*sys.version_info), wanted.pop("python")):
        sys.exit(f"{file}: these tests run on Python {sys.version.split()[0]}")
    wanted.pop("pip", None)
    for name, pin in wanted.items():
        found = installed().get(name)
        if found is None or not satisfies(found.version, pin):
            sys.exit(f"{file}: {name} {pin} is not locked; {found and found.version} is installed")
    venv.create(prefix, symlinks=True)
    packages = prefix / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
    for name in with_requirements(wanted):
        link_distribution(installed()[name], packages)
    shutil.copy(FOLDER / "host_isolation.py", packages)
    (packages / "host_isolation.pth").write_text("import host_isolation\n", encoding="utf-8")
    preload_packages(prefix / "bin")


def preload_packages(programs: Path) -> None:
    """Let ``python`` of an environment fork scripts from a process that has loaded its packages."""
    interpreter = (programs / "python").rename(programs / "interpreter")
    # The path of a socket has at most 107 characters, fewer than that of an environment may have.
    folder = tempfile.mkdtemp(prefix="python")
    server = [str(interpreter), str(FOLDER / "python_server.py"), folder, "environment"]
    address = Path(folder) / "address"
    python_server.write_client(programs / "python", interpreter, address, server)


@functools.cache
def installed() -> dict[str, Distribution]:
    """Name -> distribution of the environment that runs this program."""
    by_name = {canonicalize_name(found.metadata["Name"]): found for found in distributions()}
    return {SAME_PACKAGE.get(name, name): found for name, found in by_name.items()}


def with_requirements(names: Iterable[str]) -> set[str]:
    """Return the packages and all that they require on this machine."""
    reached, pending = set(), list(names)
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += [required for required in requirements(name) if required in installed()]
    return reached


def requirements(name: str) -> list[str]:
    """Return what a package requires on this machine, extras apart."""
    lines = map(Requirement, installed()[name].requires or [])
    return [
        canonicalize_name(line.name)
        for line in lines
        if line.marker is None or line.marker.evaluate({"extra": ""})
    ]


def link_distribution(distribution: Distribution, target: Path) -> None:
    """Link a distribution's files: whole folders where they are its own, else file by file."""
    for file in distribution.files or []:
        first = file.parts[0]
        if first == "..":  # programs, headers: nothing that is imported
            continue
        part = Path(first) if owners()[first] == 1 else Path(file)
        link = target / part
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(distribution.locate_file(part))


@functools.cache
def owners() -> dict[str, int]:
    """Top-level file or folder -> number of distributions that write there."""
    counts = {}
    for distribution in installed().values():
        for first in {file.parts[0] for file in distribution.files or []}:
            counts[first] = counts.get(first, 0) + 1
    return counts


def main() -> None:
    """Answer the calls that Snakemake makes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", type=Path)
    parser.add_argument("--version", action="version", version="conda 24.7.1")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info").add_argument("--json", action="store_true")
    commands.add_parser("clean").add_argument("--tarballs", "-y", action="store_true")
    config = commands.add_parser("config")
    config.add_argument("--get")
    config.add_argument("--json", action="store_true")
    create = commands.add_parser("env").add_subparsers(required=True).add_parser("create")
    for flag in ("--quiet", "--no-default-packages"):
        create.add_argument(flag, action="store_true")
    for option in ("--file", "--prefix"):
        create.add_argument(option, type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "info":
        print(json.dumps({"conda_prefix": str(arguments.base), "platform": "linux-64"}))
    elif arguments.command == "config":
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif arguments.command == "env":
        create_environment(arguments.file, arguments.prefix)


if __name__ == "__main__":
    main()
