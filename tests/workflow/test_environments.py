"""Every stage environment lists what its rules import, in the versions of the lock."""

import re

import pytest
import yaml
from support import stand_in_conda
from support.environment_files import (
    NOT_LOCKED,
    PYPI_NAMES,
    read_environment,
    read_lock,
    satisfies,
)
from support.repository import REPOSITORY
from support.stage_imports import rule_files, script_imports, stage_rules, workflow_imports

ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
LOCKS = ("requirements.lock", "requirements-gpu.lock")

each_environment = pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)


def test_every_rule_with_a_script_has_an_environment():
    rules = stage_rules()
    scripts = sum(path.read_text().count(" script:\n") for path in rule_files())
    assert len(rules) == scripts > 0
    assert [name for name, (_, environment) in rules.items() if environment is None] == []
    assert {environment for _, environment in rules.values()} <= set(ENVIRONMENTS)


@each_environment
def test_environment_lists_what_its_rules_import_and_nothing_else(environment):
    listed = set(read_environment(environment)) - NOT_LOCKED
    imported = {}
    for script, used in stage_rules().values():
        if used == environment:
            imported |= script_imports(script)
    assert {name: file for name, file in imported.items() if name not in listed} == {}
    assert listed - set(imported) == set()


def test_an_evaluation_imports_nothing_that_takes_longer_than_itself():
    """It is the job of which an experiment has most; scikit-learn and statsmodels take a second."""
    script = REPOSITORY / "workflow" / "scripts" / "evaluate_model.py"
    assert set(script_imports(script)) == {"numpy", "pandas", "scipy"}


def test_snakemake_alone_can_read_the_workflow():
    """With --sdm conda a user's Snakemake has its own packages and none of the stages'."""
    own = stand_in_conda.with_requirements(["snakemake"])
    assert {name: file for name, file in workflow_imports().items() if name not in own} == {}


@each_environment
@pytest.mark.parametrize("lock", LOCKS)
def test_environment_pins_the_versions_of_the_lock(environment, lock):
    locked = read_lock(REPOSITORY / lock)
    pins = read_environment(environment)
    assert pins.pop("python") == "3.11"
    pins.pop("pip", None)
    differing = {
        name: (pin, locked.get(name))
        for name, pin in pins.items()
        if not satisfies(locked.get(name, "none"), pin)
    }
    assert differing == {}


@each_environment
def test_environment_takes_its_packages_from_conda_forge_alone(environment):
    assert yaml.safe_load(environment.read_text())["channels"] == ["conda-forge", "nodefaults"]


def test_read_environment_refuses_a_package_that_is_not_pinned(tmp_path):
    loose = tmp_path / "loose.yaml"
    loose.write_text("dependencies:\n  - numpy >=2\n")
    with pytest.raises(ValueError, match=r"loose\.yaml: 'numpy >=2' is not pinned"):
        read_environment(loose)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_hashes_and_no_address(lock):
    text = (REPOSITORY / lock).read_text()
    assert re.findall(r"\S*://\S*|--(?:index|extra|find)\S*|file:\S*| /\S*", text) == []
    requirements = re.findall(r"^[a-z0-9].*\n(?:    --hash=sha256:[0-9a-f]{64}.*\n)+", text, re.M)
    assert len(requirements) == len(re.findall(r"^[^\s#]", text, re.M)) > 100


def test_the_locks_differ_in_the_libraries_of_cuda_alone():
    without, with_cuda = (read_lock(REPOSITORY / lock) for lock in LOCKS)
    assert {name: version for name, version in with_cuda.items() if name in without} == without
    assert all(name.startswith("nvidia-") for name in set(with_cuda) - set(without))


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_what_the_requirements_ask_for(lock):
    text = (REPOSITORY / "requirements.in").read_text()
    asked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.M))
    locked = read_lock(REPOSITORY / lock)
    assert {name: locked.get(name) for name in asked} == asked


def test_names_of_conda_forge_mean_locked_packages():
    assert set(PYPI_NAMES.values()) <= set(read_lock(REPOSITORY / "requirements.lock"))
