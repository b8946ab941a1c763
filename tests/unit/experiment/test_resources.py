"""Memory and run time of jobs: they grow with data and attempts."""

import re
from types import SimpleNamespace

import pytest
from support.stage_imports import RULE, rule_files

from blastfold.experiment.resources import (
    DAY,
    counted,
    megabytes,
    memory,
    run_time,
    training_time,
)

MB = 2**20


class Input(list):
    """Input files as Snakemake gives them: a list with names."""

    images = ""


@pytest.fixture
def files(tmp_path):
    """A table of 2 MB, images of 10 MB, and a folder with 3 MB."""
    (tmp_path / "groups.tsv").write_bytes(b" " * 2 * MB)
    (tmp_path / "images.npy").write_bytes(b" " * 10 * MB)
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "shared.npy").write_bytes(b" " * 3 * MB)
    (tmp_path / "features" / "below").mkdir()
    paths = Input(map(str, sorted(tmp_path.iterdir())))
    paths.images = str(tmp_path / "images.npy")
    return paths


def test_sizes_of_tables_and_arrays_are_added_up(files):
    assert megabytes(files) == (2, 13)
    assert megabytes([]) == (0, 0)


def test_memory_follows_data_and_attempt(files):
    function = memory(1000, of_tables=10, of_arrays=2)
    assert function(None, input=files, attempt=1) == 1000 + 20 + 26
    assert function(None, input=files, attempt=3) == 3 * 1046
    assert function(None, input=[], attempt=1) == 1000


def test_run_time_of_further_attempts_ends_at_a_day(files):
    function = run_time(100, of_tables=5, of_arrays=10)
    assert function(None, input=files, attempt=1) == 240
    assert function(None, input=files, attempt=2) == 480
    assert function(None, input=files, attempt=9) == DAY
    long = run_time(2 * DAY)
    assert long(None, input=[], attempt=1) == long(None, input=[], attempt=2) == 2 * DAY


def test_a_missing_input_is_named_for_snakemake(files, tmp_path):
    missing = str(tmp_path / "missing.tsv")
    with pytest.raises(FileNotFoundError) as error:
        memory(1000)(None, input=[*files, missing], attempt=1)
    assert str(error.value.filename) == missing


@pytest.mark.parametrize(("on_gpu", "mb_per_second"), [(True, 15), (False, 0.5)])
def test_run_time_of_training_follows_passes(files, on_gpu, mb_per_second):
    function = training_time(lambda wildcards: wildcards.epochs + 1, on_gpu, base=100)
    few = function(SimpleNamespace(epochs=99), input=files, attempt=1)
    assert few == pytest.approx(100 + 100 * 10 / mb_per_second / 60, abs=1)
    # Each attempt continues the training, so that a day is enough.
    assert function(SimpleNamespace(epochs=10**6), input=files, attempt=1) == DAY


def test_jobs_without_inputs_follow_a_count():
    function = counted(100, 2, lambda wildcards: 50, most=500)
    assert function(None, attempt=1) == 200
    assert function(None, attempt=2) == 400
    assert function(None, attempt=3) == 500
    assert counted(100, 2, lambda wildcards: 500, most=500)(None, attempt=2) == 1100


FOLLOWS = re.compile(
    r"(memory|run_time|training_time|counted)\(|lambda wildcards, attempt: \d+ \* "
)


@pytest.mark.parametrize("resource", ["mem_mb", "runtime"])
def test_no_rule_asks_for_a_constant(resource):
    asked = {}
    for path in rule_files():
        for _, name, body in RULE.findall(path.read_text("utf-8")):
            for value in re.findall(rf"^ +{resource}=(.+)", body, re.MULTILINE):
                asked[name] = value
            assert name in asked or "script:" not in body, name
    assert len(asked) > 40
    assert [name for name, value in asked.items() if not FOLLOWS.match(value)] == []


def test_the_slurm_profile_names_every_rule_that_asks_for_a_gpu():
    rules = set()
    for path in rule_files():
        for _, name, body in RULE.findall(path.read_text("utf-8")):
            if re.search(r"^ +gpu=", body, re.MULTILINE):
                rules.add(name)
    root = rule_files()[0].parent
    profile = (root / "profiles/slurm/profile.yaml").read_text("utf-8")
    for setting in ("gpu_model", "gres"):
        named = re.findall(rf"^#   (\w+): {{.*{setting}: ", profile, re.MULTILINE)
        assert set(named) == rules, setting
    readme = (root / "profiles/README.md").read_text("utf-8")
    assert all(f"`{name}`" in readme for name in rules)
