"""What an experiment was estimated to take, and what it takes: within a factor of 2."""

from subprocess import PIPE, STDOUT, run

import pandas as pd
import yaml
from support.repository import SCHEMA
from support.workflow import REPOSITORY, snakemake_command

from blastfold.experiment.config import check_config
from blastfold.planning import estimate_command
from blastfold.planning.cost_model import count_images, estimate

EXPERIMENT = {
    "datasets": {"demo": {"format": "demo", "image_size": [48, 48]}},
    "protocols": {"kfold": {"kind": "kfold", "folds": 2, "validation_fraction": 0.1}},
    "models": {
        "simple_cnn": {"architecture": "simple_cnn", "epochs": 40},
        "mobilenet": {"architecture": "MobileNetV2", "train": "head", "epochs": 4},
    },
    "experiments": [
        {"datasets": ["demo"], "protocols": ["kfold"], "models": ["simple_cnn", "mobilenet"]}
    ],
    "device": "cpu",
}
PREPARATION = ("import_dataset", "audit_dataset", "all")


def test_an_experiment_takes_what_was_estimated(tmp_path):
    config = check_config(EXPERIMENT, SCHEMA)
    expected = yaml.safe_load((REPOSITORY / "resources/datasets.yaml").read_text("utf-8"))
    # One core, as the jobs below have.
    speeds = estimate_command.measure(config, "cpu", 1, tmp_path / "calibration.json")
    table = estimate(config, count_images(config, expected, tmp_path / "results"), speeds)
    estimated = dict(zip(table["model"], table["hours"] * 3600, strict=True))

    command = snakemake_command(tmp_path, "results/tables/compute_cost.tsv", config=EXPERIMENT)
    command[command.index("--cores") + 1] = "1"
    done = run(command, cwd=tmp_path, stdout=PIPE, stderr=STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    costs = pd.read_csv(tmp_path / "results/tables/compute_cost.tsv", sep="\t")
    jobs = costs[~costs["job"].isin(PREPARATION) & (costs["dataset"] == "demo")]
    print(f"\n{costs.to_string()}\nestimated: {estimated}")
    ratio = jobs["seconds"].sum() / sum(estimated.values())
    print(f"actual / estimated: {ratio:.2f}")
    assert 0.5 < ratio < 2
    cnn = jobs.loc[jobs["model"] == "simple_cnn", "seconds"].sum() / estimated["simple_cnn"]
    print(f"actual / estimated, simple CNN: {cnn:.2f}")
    assert 0.5 < cnn < 2
