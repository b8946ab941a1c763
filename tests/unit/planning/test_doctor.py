"""Checks of a machine: folders, disks and programs that the tests make themselves."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml
from support.repository import REPOSITORY, SCHEMA

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file
from blastfold.experiment.config import check_config
from blastfold.planning import doctor
from blastfold.planning import machine_checks as checks
from blastfold.planning.needed_disk import describe_needed_disk

CONFIG = {
    "datasets": {"cells": {"format": "folder", "path": "cells", "image_size": [32, 32]}},
    "protocols": {"split": {"kind": "holdout"}},
    "models": {"net": {"architecture": "simple_cnn"}},
    "experiments": [{"datasets": ["cells"], "protocols": ["split"], "models": ["net"]}],
}


def config_of(**changes):
    return check_config(CONFIG | changes, SCHEMA)


@pytest.fixture
def machine(tmp_path):
    """A repository with a lock of one package, and an environment that has it."""
    for folder in ("environment", "results", "devices", "resources/weights"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "requirements.lock").write_text(f"pytest=={pytest.__version__} \\\n    --hash=x\n")
    (tmp_path / "resources" / "datasets.yaml").write_text("{}")
    (tmp_path / "mounts").write_text(f"disk / ext4 rw 0 0\nserver {tmp_path}/far nfs4 rw 0 0\n")
    return checks.Machine(
        tmp_path,
        tmp_path / "environment",
        tmp_path / "results",
        tmp_path / "mounts",
        tmp_path / "devices",
        lambda command: None,
    )


def levels(findings):
    return [finding.level for finding in findings]


@pytest.mark.parametrize(
    ("version", "level"), [((3, 11, 0), "ok"), ((3, 12, 1), "problem"), ((3, 9, 9), "problem")]
)
def test_only_the_python_of_the_locks_is_right(version, level):
    assert checks.check_python(version).level == level


@pytest.mark.parametrize(
    ("lock", "found"),
    [
        ("", ["ok"]),
        ("pytest==0.0.1\n", ["problem"]),
        ("no-such-package-here==1.0\n", ["warning"]),
        ('no-such-package-here==1.0 ; sys_platform == "never"\n', ["ok"]),
        ("pytest==0.0.1\nno-such-package-here==1.0\n", ["problem", "warning"]),
    ],
)
def test_the_lock_is_compared_with_what_is_installed(machine, lock, found):
    (machine.root / "requirements.lock").write_text(lock)
    assert levels(checks.check_lock(machine)) == found


def test_the_gpu_environment_has_its_own_lock(machine):
    (machine.environment / "gpu").touch()
    [finding] = checks.check_lock(machine)
    assert finding.level == "problem"
    assert "requirements-gpu.lock is missing" in finding.text
    (machine.root / "requirements-gpu.lock").write_text("pytest==0.0.1\n")
    [finding] = checks.check_lock(machine)
    assert finding.remedy == "make env GPU=1"


def test_the_locks_of_the_repository_can_be_read():
    for name in ("requirements.lock", "requirements-gpu.lock"):
        pins = checks.locked_versions((REPOSITORY / name).read_text("utf-8"))
        assert pins["numpy"][0].isdigit()
        assert len(pins) > 50


def test_a_folder_that_cannot_be_written_to_is_a_problem(machine):
    machine.results.rmdir()
    machine.results.symlink_to("/proc/self")
    finding = checks.check_writable(machine)
    assert finding.level == "problem"
    assert "cannot be written to" in finding.text


def test_network_file_systems_are_a_warning(machine):
    assert checks.check_file_system(machine).level == "ok"
    far = machine.root / "far" / "deep"
    far.mkdir(parents=True)
    there = checks.Machine(machine.root, machine.environment, far, machine.mounts)
    finding = checks.check_file_system(there)
    assert (finding.level, "nfs4" in finding.text) == ("warning", True)


@pytest.mark.parametrize("text", ["", "a\n", "a b\n\n", "x /\\04 ext4\n", "\udcff"])
def test_odd_lists_of_mounts_give_an_unknown_file_system(machine, text):
    machine.mounts.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert checks.file_system_of(machine.results, machine.mounts) == "unknown"
    assert checks.file_system_of(machine.results, machine.root / "absent") == "unknown"


def test_mounts_with_spaces_and_similar_names_are_distinguished(machine):
    spaced = machine.root / "my disk"
    similar = machine.root / "my disk2"
    for folder in (spaced, similar):
        folder.mkdir()
    escaped = str(spaced).replace(" ", "\\040")
    machine.mounts.write_text(f"a / ext4 rw\nb {escaped} cifs rw\n")
    assert checks.file_system_of(spaced, machine.mounts) == "cifs"
    assert checks.file_system_of(similar, machine.mounts) == "ext4"


def test_disk_is_compared_with_what_images_need(machine):
    needs = {"images": 1e9, "features": 0.0, "networks": 0.0}
    assert checks.check_disk(machine, needs).level == "problem"
    assert "keep_features" not in checks.check_disk(machine, needs).remedy
    assert "keep_features" in checks.check_disk(machine, needs | {"features": 1.0}).remedy
    small = checks.check_disk(machine, needs | {"images": 1e-3}, ["cells", "m"])
    assert "at most 0.0 GB are needed (images 0.0, features" in small.text
    assert small.text.endswith("; not counted: cells; m")
    assert checks.check_disk(machine, None).level in ("ok", "warning", "problem")


HEADS = {
    "architecture": "VGG16",
    **{"weights": "none", "train": "head", "epochs": 3},
    **{"augmentation": {"hue": 0.1}, "preprocessing": "mean_image"},
}
FOLDS = {"kind": "kfold", "folds": 10}


def test_disk_of_images_features_and_networks_is_counted_before_any_job(machine):
    folder = machine.results / "datasets" / "cells"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps({"images": 10**6}))
    config = config_of(
        protocols={"split": FOLDS},
        models={"net": {"architecture": "simple_cnn"}, "heads": HEADS},
        experiments=[{"datasets": ["cells"], "protocols": ["split"], "models": ["net", "heads"]}],
    )
    finding = doctor.check_needed_disk(config, {}, machine)
    images = 10**6 * 32 * 32 * 3 / 2**30
    # VGG16: 512 numbers of 4 bytes for an image of 32x32 pixels, plain and in three epochs, in
    # each of ten folds, because the mean image differs.
    features = 10 * 4 * 10**6 * 512 * 4 / 2**30
    # Simple CNN: 32 -> 15 -> 6 -> 4 pixels.
    parameters = 896 + 18496 + 73856 + (4 * 4 * 128 + 1) * 128 + 129
    networks = 10 * parameters * 4 / 2**30
    parts = f"images {images:.1f}, features {features:.1f}, networks {networks:.1f}"
    assert f"({parts})" in finding.text
    assert f"({parts}), without tables" in describe_needed_disk(config, {}, machine.results)
    (folder / "dataset.json").write_text("{")
    unknown = doctor.check_needed_disk(config, {}, machine)
    left_out = "not counted: cells, whose images are counted by the import"
    assert left_out in unknown.text
    assert left_out in describe_needed_disk(config, {}, machine.results)


def test_gpu_driver_and_build_of_tensorflow_are_checked(machine):
    assert doctor.check_gpu("auto", machine).level == "ok"
    assert doctor.check_gpu("gpu", machine).level == "problem"
    (machine.devices / "nvidia0").touch()
    assert "nvidia-smi" in doctor.check_gpu("auto", machine).text
    answering = checks.Machine(
        *(machine.root, machine.environment, machine.results, machine.mounts, machine.devices),
        lambda command: "Card, 570.1, 81920 MiB\n",
    )
    finding = doctor.check_gpu("auto", answering)
    assert (finding.level, "built for the CPU" in finding.text) == ("warning", True)
    (machine.environment / "gpu").touch()
    assert doctor.check_gpu("gpu", answering).level == "ok"
    assert doctor.check_gpu("cpu", answering).level == "warning"


def cells(folder, count=6):
    for place in range(count):
        path = folder / ("normal", "blast")[place % 2] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((9, 9, 3), place, np.uint8))


def test_data_folders_are_compared_with_known_counts(tmp_path):
    cells(tmp_path / "cells")
    datasets = {"cells": CONFIG["datasets"]["cells"] | {"path": str(tmp_path / "cells")}}
    config = config_of(datasets=datasets)
    assert levels(doctor.check_data(config, {})) == ["ok"]
    assert levels(doctor.check_data(config, {"folder": {"images": 6, "normal": 3}})) == ["ok"]
    [finding] = doctor.check_data(config, {"folder": {"images": 7}})
    assert finding.level == "warning"
    assert "6 images, the public data set has 7" in finding.text
    [finding] = doctor.check_data(config_of(), {})
    assert (finding.level, "does not exist" in finding.text) == ("problem", True)


def test_weights_are_compared_with_their_checksums(machine, tmp_path):
    models = {"net": {"architecture": "vgg16", "weights": "imagenet"}}
    models["own"] = {"architecture": "vgg16", "weights": str(tmp_path / "own.weights.h5")}
    models["own"]["preprocessing"] = "imagenet"
    config = config_of(
        models=models, experiments=[CONFIG["experiments"][0] | {"models": ["net", "own"]}]
    )
    assert levels(doctor.check_weights(config, machine)) == ["problem", "warning"]
    (tmp_path / "own.weights.h5").touch()
    weights = machine.root / "resources/weights/vgg16_imagenet_notop.weights.h5"
    weights.write_bytes(b"weights")
    record = weights.with_name("vgg16_imagenet_notop.json")
    for text, level in (
        (None, "warning"),
        ("[", "warning"),
        ("[]", "warning"),
        (json.dumps({"sha256": "00"}), "problem"),
        (json.dumps({"sha256": digest_file(weights)}), "ok"),
    ):
        if text is not None:
            record.write_text(text)
        assert levels(doctor.check_weights(config, machine)) == [level], text


def profile_of(folder, account="lab", partitions=("cpu", "gpu")):
    settings = {"slurm-partition-config": "partitions.yaml"}
    settings |= {"default-resources": {"slurm_account": account}}
    (folder / "profile.yaml").write_text(yaml.safe_dump(settings))
    table = {"partitions": {name: {"max_runtime": 9} for name in partitions}}
    (folder / "partitions.yaml").write_text(yaml.safe_dump(table))
    return folder


def test_partitions_and_account_of_a_cluster_are_checked(machine, tmp_path):
    profile = profile_of(tmp_path)
    [finding] = doctor.check_slurm(profile, machine)
    assert (finding.level, "sinfo" in finding.text) == ("problem", True)
    cluster = checks.Machine(
        *(machine.root, machine.environment, machine.results, machine.mounts, machine.devices),
        lambda command: "cpu\ngpu\nlong\n",
    )
    assert levels(doctor.check_slurm(profile, cluster)) == ["ok"]
    [finding] = doctor.check_slurm(profile_of(tmp_path, partitions=("cpu", "fast")), cluster)
    assert "no partition fast; it has cpu, gpu, long" in finding.text
    assert levels(doctor.check_slurm(REPOSITORY / "profiles" / "slurm", cluster)) == [
        *("problem", "ok")
    ]
    (tmp_path / "profile.yaml").write_text("[")
    assert levels(doctor.check_slurm(tmp_path, cluster)) == ["problem"]


def test_programs_that_fail_or_are_absent_give_nothing(machine):
    run = checks.Machine(machine.root, machine.environment, machine.results).run
    assert run([sys.executable, "-c", "print(3)"]) == "3\n"
    assert run([sys.executable, "-c", "raise SystemExit(2)"]) is None
    assert run([str(machine.root / "absent")]) is None


def test_every_finding_that_is_not_ok_has_a_remedy(machine):
    findings = list(doctor.all_checks(config_of(device="gpu"), machine, machine.root))
    for finding in findings:
        assert (finding.level == "ok") == (finding.remedy == ""), finding
        assert finding.level in str(finding)


def test_the_command_line_prints_every_line_and_imports_no_tensorflow(tmp_path):
    code = (
        "import sys; from blastfold.planning.doctor import main; status = main(sys.argv[1:]); "
        "assert 'tensorflow' not in sys.modules; assert 'keras' not in sys.modules; "
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(REPOSITORY / "config" / "thesis.yaml")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY / "workflow" / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "problem  all_idb2: The data set folder" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("ok ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("datasets: {}\n".encode("utf-16"), "is UTF-16 text; expected UTF-8"),
        (b"a: 1\na: 2\n", "has a key twice"),
        (b"[", "is not YAML"),
        (None, ". Name a config with CONFIG="),
    ],
)
def test_a_config_that_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"mine.yaml' ?{re.escape(message)}"):
        doctor.main([str(path)])


def test_only_what_is_urgent_is_reported_at_the_start_of_a_run(machine):
    (machine.root / "requirements.lock").write_text("no-such-package-here==1.0\n")
    texts = [finding.text for finding in checks.urgent_findings(machine.root, machine.results)]
    assert not any("not installed" in text for text in texts)
    (machine.root / "requirements.lock").write_text("pytest==0.0.1\n")
    texts = [finding.text for finding in checks.urgent_findings(machine.root, machine.results)]
    assert any("pytest" in text for text in texts)
