"""Checks a machine before an experiment runs on it: ``make doctor CONFIG=...``.

Every line is ok, a warning or a problem, with its remedy. TensorFlow is looked up, never imported.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from blastfold.core.errors import BlastfoldError
from blastfold.core.files import digest_file
from blastfold.core.hardware import has_gpu
from blastfold.core.names import plain_name
from blastfold.core.packages import installed_version
from blastfold.datasets.formats import FORMATS, list_records
from blastfold.datasets.summary import compare_counts, count_images
from blastfold.experiment.config import check_config
from blastfold.experiment.config_file import read_config_file
from blastfold.experiment.folders import experiment_folders
from blastfold.planning.machine_checks import (
    GPU_MARK,
    OK,
    PROBLEM,
    WARNING,
    Finding,
    Machine,
    check_disk,
    check_file_system,
    check_lock,
    check_python,
    check_writable,
)
from blastfold.planning.needed_disk import needed_disk

ROOT = Path(__file__).resolve().parents[4]

PLACEHOLDER = "my_account"
"""The account of profiles/slurm before it is edited."""


def all_checks(config: Mapping, machine: Machine, profile: Path | None) -> Iterator[Finding]:
    """Yield every finding.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        machine: Where to look.
        profile: The profile of a cluster that is used; None for one machine.
    """
    known = yaml.safe_load((machine.root / "resources" / "datasets.yaml").read_text("utf-8"))
    yield check_python(sys.version_info[:3])
    yield from check_lock(machine)
    yield check_tensorflow()
    yield check_gpu(config["device"], machine)
    yield check_writable(machine)
    yield check_file_system(machine)
    yield check_needed_disk(config, known, machine)
    yield from check_data(config, known)
    yield from check_weights(config, machine)
    if profile:
        yield from check_slurm(profile, machine)


def check_tensorflow() -> Finding:
    """Look TensorFlow up; importing it takes up to 20 seconds and seizes the GPUs."""
    if version := installed_version("tensorflow"):
        return Finding(OK, f"TensorFlow {version}, Keras {installed_version('keras')}")
    return Finding(
        WARNING,
        "TensorFlow is not in this environment",
        "make env; not needed where trainings use conda (--sdm conda)",
    )


def check_gpu(device: str, machine: Machine) -> Finding:
    """Look for a GPU, its driver, and a TensorFlow that can use it."""
    if not has_gpu(machine.devices):
        if device == "gpu":
            remedy = "set device: auto, or run on a machine with an NVIDIA GPU and its driver"
            return Finding(PROBLEM, "the config asks for a GPU and this machine has none", remedy)
        return Finding(OK, "no GPU: networks are trained on the CPU")
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    printed = machine.run(query)
    if not printed:
        remedy = "install the NVIDIA driver again, and restart the machine"
        return Finding(PROBLEM, "a GPU is there, but nvidia-smi does not answer", remedy)
    gpus = "; ".join(line.strip() for line in printed.splitlines() if line.strip())
    if device == "cpu":
        return Finding(WARNING, f"the config asks for the CPU, and there is {gpus}", "device: auto")
    if not (machine.environment / GPU_MARK).exists():
        text = f"{gpus} (name, driver, memory), but TensorFlow here is built for the CPU"
        return Finding(WARNING, text, "make env GPU=1; not needed with conda (--sdm conda)")
    return Finding(OK, f"GPU: {gpus} (name, driver, memory)")


def check_needed_disk(config: Mapping, known: Mapping, machine: Machine) -> Finding:
    """Compare the free disk with what images, features and networks of the experiment need."""
    return check_disk(machine, *needed_disk(config, known, machine.results))


def check_data(config: Mapping, known: Mapping) -> Iterator[Finding]:
    """Compare the raw folder of every data set with what the public data set holds."""
    for name, entry in config["datasets"].items():
        if entry["format"] not in FORMATS or entry["format"] in ("demo", "tiles"):
            continue
        try:
            records = list_records(entry["format"], entry["path"], entry)
        except BlastfoldError as error:
            yield Finding(PROBLEM, f"{name}: {error}", "see resources/README.md")
            continue
        usable = records
        if "problem" in records:
            usable = records[records["problem"] == ""]
        counted = count_images(usable.assign(height=0, width=0))
        counted["asked_parts"] = list(entry.get("parts") or [])
        differences = compare_counts(counted, known.get(entry["format"]))
        text = f"{name}: {len(usable)} images in '{entry['path']}'"
        if len(records) > len(usable):
            differences.append(f"{len(records) - len(usable)} files cannot be used")
        if differences:
            remedy = "complete the download if you want the whole public data set"
            yield Finding(WARNING, f"{text}; {'; '.join(differences)}", remedy)
        else:
            yield Finding(OK, text)


def check_weights(config: Mapping, machine: Machine) -> Iterator[Finding]:
    """Look for start weights, and compare downloaded ones with their checksums."""
    asked: dict[str, str] = {}
    for model in config["models"].values():
        weights = model.get("weights")
        if weights == "imagenet":
            asked[plain_name(model["architecture"])] = model["architecture"]
        elif isinstance(weights, str) and weights != "none" and not Path(weights).is_file():
            text = f"the weights '{weights}' do not exist"
            yield Finding(PROBLEM, text, "correct the path in the config")
    folder = machine.root / "resources" / "weights"
    for plain, name in asked.items():
        yield _check_download(folder, plain, name)


def _check_download(folder: Path, plain: str, name: str) -> Finding:
    found = [
        path
        for path in sorted(folder.glob("*_imagenet_notop.weights.h5"))
        if plain_name(path.name.removesuffix("_imagenet_notop.weights.h5")) == plain
    ]
    if not found:
        remedy = (
            "nothing, if this machine has a network: the first run downloads them. Otherwise fetch "
            "them on another one: snakemake --cores 1 "
            f"resources/weights/{plain}_imagenet_notop.weights.h5"
        )
        return Finding(WARNING, f"ImageNet weights of {name} are not in {folder}", remedy)
    record = found[0].with_name(found[0].name.replace(".weights.h5", ".json"))
    try:
        expected = yaml.safe_load(record.read_text("utf-8"))["sha256"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        remedy = f"delete {found[0]}, so that it is downloaded again"
        return Finding(WARNING, f"ImageNet weights of {name} have no record", remedy)
    if digest_file(found[0]) != expected:
        remedy = f"delete {found[0]} and {record.name}, so that they are downloaded again"
        return Finding(PROBLEM, f"ImageNet weights of {name} differ from their checksum", remedy)
    return Finding(OK, f"ImageNet weights of {name}: checksum as recorded")


def check_slurm(profile: Path, machine: Machine) -> Iterator[Finding]:
    """Compare a cluster's partitions with those of the profile, and look for its account."""
    try:
        settings = yaml.safe_load((profile / "profile.yaml").read_text("utf-8"))
        table = profile / settings["slurm-partition-config"]
        named = list(yaml.safe_load(table.read_text("utf-8"))["partitions"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        text = f"the profile '{profile}' cannot be read ({error})"
        yield Finding(PROBLEM, text, "compare it with profiles/slurm of the repository")
        return
    account = (settings.get("default-resources") or {}).get("slurm_account")
    if account == PLACEHOLDER:
        text = f"the account is still '{PLACEHOLDER}'"
        yield Finding(PROBLEM, text, f"edit {profile / 'profile.yaml'}")
    printed = machine.run(["sinfo", "--noheader", "--format", "%R"])
    if printed is None:
        yield Finding(PROBLEM, "sinfo does not answer", "run this on a login node of the cluster")
        return
    there = sorted(set(printed.split()))
    if missing := [name for name in named if name not in there]:
        text = f"the cluster has no partition {', '.join(missing)}; it has {', '.join(there)}"
        yield Finding(PROBLEM, text, f"edit {table}")
    else:
        yield Finding(OK, f"SLURM has the partitions {', '.join(named)}")


def main(arguments: list[str]) -> int:
    """Read the command line, check, print; return 1 where there is a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file of the experiment")
    parser.add_argument("--profile", type=Path, help="profile of a cluster, where one is used")
    chosen = parser.parse_args(arguments)
    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    config = check_config(read_config_file(chosen.config), schema, chosen.config)
    results = Path(experiment_folders(config.get("name"))["results"])
    machine = Machine(ROOT, Path(sys.prefix), results)
    levels = []
    for finding in all_checks(config, machine, chosen.profile):
        print(finding, flush=True)
        levels.append(finding.level)
    counts = {level: levels.count(level) for level in (OK, WARNING, PROBLEM)}
    print(", ".join(f"{level} {number}" for level, number in counts.items()))
    return int(PROBLEM in levels)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BlastfoldError as error:
        sys.exit(str(error))
