"""Versions that a job has, against those that are pinned."""

import logging

import pytest

from blastfold.core.errors import InputError
from blastfold.core.packages import check_versions, installed_version


def test_installed_versions():
    assert installed_version("numpy") == __import__("numpy").__version__
    assert installed_version("tensorflow").count(".") == 2
    assert installed_version("no-such-package") is None


@pytest.mark.parametrize(
    ("version", "pin", "same"),
    [
        ("3.15.0", "3.15.0", True),
        ("3.15.0", "3.15", True),
        ("3.15.1", "3.15.0", False),
        ("3.150", "3.15", False),
        ("3.15", "3.15.0", False),
        (None, "3.15.0", True),
    ],
)
def test_another_version_is_an_error_that_names_both(version, pin, same, caplog):
    def check(policy):
        check_versions({"keras": pin}, policy, installed={"keras": version}.get)

    if same:
        check("error")
        assert not caplog.records
        return
    with pytest.raises(InputError) as refused:
        check("error")
    assert f"keras {version} (pinned: {pin})" in str(refused.value)
    assert "other_versions: warn" in str(refused.value)
    with caplog.at_level(logging.WARNING):
        check("warn")
    assert f"keras {version} (pinned: {pin})" in caplog.text
