"""Snakemake's conda support, run with a stand-in conda: environments suffice, each by itself."""

import os
import re
import subprocess

import pytest
from support import stand_in_conda
from support.environment_files import PYPI_NAMES, read_lock
from support.repository import REPOSITORY
from support.workflow import run_snakemake

# One rule per environment; every script asks for the same package of that environment.
RULE = """
rule {name}:
    output:
        "{name}.txt",
    conda:
        "{name}.yaml"
    script:
        "{name}.py"
"""
SCRIPT = """
from pathlib import Path

import blastfold
import {module}

Path(snakemake.output[0]).write_text({module}.__file__)
"""

# An environment, a package that it has or lacks, and the module that this brings. Snakemake's own
# installation has all of them when it runs in the locked environment, and needs the last one
# itself.
PACKAGES = [
    ("datasets", "py-opencv", "cv2"),
    ("folds", "pandas", "pandas"),
    ("folds", "pyyaml", "yaml"),
]
MODULES = [module for _, _, module in PACKAGES]


@pytest.fixture(scope="module")
def conda_path(tmp_path_factory):
    """The search path for programs with the stand-in conda in front."""
    programs = stand_in_conda.install(tmp_path_factory.mktemp("conda"))
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


def run_with_conda(folder, conda_path, *arguments):
    """Run Snakemake with conda environments in a folder, both outputs in one text."""
    return run_snakemake(
        folder,
        *("--sdm", "conda", "--workflow-profile", "none", "--cores", "2"),
        *arguments,
        environment={**os.environ, "PATH": conda_path},
    )


@pytest.fixture(scope="module")
def scripts_run(tmp_path_factory, conda_path):
    """Run each script in a copy of an environment with its package and in one without."""
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "blastfold").symlink_to(REPOSITORY / "workflow" / "scripts" / "blastfold")
    locked = read_lock(REPOSITORY / "requirements.lock")
    names = []
    for environment, package, module in PACKAGES:
        text = (REPOSITORY / "envs" / f"{environment}.yaml").read_text()
        without = re.sub(rf"^  - {package} .*\n", "", text, flags=re.MULTILINE)
        pinned = f"  - {package} ={locked[PYPI_NAMES.get(package, package)]}\n"
        for name, content in ((f"with_{module}", without + pinned), (f"without_{module}", without)):
            (folder / f"{name}.yaml").write_text(content)
            (folder / f"{name}.py").write_text(SCRIPT.format(module=module))
            names.append(name)
    (folder / "Snakefile").write_text("".join(RULE.format(name=name) for name in names))
    run = run_with_conda(folder, conda_path, "--keep-going", "--", *names)
    return folder, run.stdout


@pytest.mark.parametrize("module", MODULES)
def test_whole_environment_serves_a_script(scripts_run, module):
    folder, output = scripts_run
    result = folder / f"with_{module}.txt"
    assert result.exists(), output
    assert str(folder / ".snakemake" / "conda") in result.read_text()


@pytest.mark.parametrize("module", MODULES)
def test_package_missing_from_an_environment_stops_its_rule(scripts_run, module):
    folder, output = scripts_run
    assert not (folder / f"without_{module}.txt").exists()
    assert f"ModuleNotFoundError: No module named '{module}'" in output


def test_version_that_is_not_locked_stops_the_environment(tmp_path, conda_path):
    (tmp_path / "old.yaml").write_text("dependencies:\n  - python =3.11\n  - numpy =1.26.4\n")
    run = subprocess.run(
        ["conda", "env", "create", "--file", tmp_path / "old.yaml", "--prefix", tmp_path / "old"],
        env={**os.environ, "PATH": conda_path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "numpy 1.26.4 is not locked" in run.stderr
