"""Pinned versions of the environment files."""

import pytest
from support.environment_files import read_environment
from support.repository import REPOSITORY

from blastfold.core.errors import InputError
from blastfold.experiment.environments import pinned_versions

TRAINING = REPOSITORY / "envs" / "training.yaml"


def test_pins_of_conda_and_pip():
    packages = ("keras", "numpy", "onnxruntime", "tensorflow")
    expected = read_environment(TRAINING)
    assert pinned_versions(TRAINING, packages) == {name: expected[name] for name in packages}


@pytest.mark.parametrize("line", ["", "- numpy", "- numpy >=2", "- numpy =2.*", "- numpyro =1.0"])
def test_a_package_without_a_pin_is_an_error(tmp_path, line):
    path = tmp_path / "environment.yaml"
    path.write_text(f"dependencies:\n  - python =3.11\n  {line}\n")
    with pytest.raises(InputError, match="the package numpy is not pinned to one version"):
        pinned_versions(path, ("numpy",))
