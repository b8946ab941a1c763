"""The same numbers with any --cores, from the import of images to intervals."""

import sys

import pytest
from support.workflow import small_experiment, snakemake, write_cells

MODELS = ("simple_cnn", "frozen")


def files_of(*models):
    """Results with numbers, from images to intervals."""
    return [
        "datasets/cells/images.npy",
        "datasets/cells/manifest.tsv",
        "datasets/cells/duplicates.tsv",
        "folds/cells/holdout.tsv",
        "mean_images/cells/holdout.npy",
        *(
            f"evaluation/cells/holdout/{model}/{name}.tsv"
            for model in models
            for name in ("predictions", "metrics", "intervals", "calibration", "operating_points")
        ),
    ]


# Features and heads need further starts of TensorFlow; they are compared between 1 and 8 cores.
FILES = {1: files_of(*MODELS), 2: files_of("simple_cnn"), 8: files_of(*MODELS)}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of one miniature experiment by the number of cores of the scheduler."""
    config = small_experiment()
    config["datasets"]["cells"]["image_size"] = [32, 32]
    config["protocols"] = {"holdout": {"kind": "holdout", "validation_fraction": 0.2}}
    config["models"]["frozen"] = {
        "architecture": "MobileNetV2",
        "train": "head",
        "epochs": 2,
        "dense_units": [16],
        "dropout": 0.2,
    }
    config["experiments"] = [
        {"datasets": ["cells"], "protocols": ["holdout"], "models": list(MODELS)}
    ]
    folders = {}
    for cores, files in FILES.items():
        folder = folders[cores] = tmp_path_factory.mktemp(f"cores{cores}")
        write_cells(folder / "resources/raw/cells")
        targets = [f"results/{path}" for path in files]
        # An interpreter that has loaded NumPy has its number of threads already: one run is with
        # interpreters that load it as users' runs do.
        python = sys.executable if cores == 8 else None
        run = snakemake(folder, *targets, config=config, cores=cores, python=python)
        assert run.returncode == 0, run.stdout
    return folders


@pytest.mark.parametrize(
    ("cores", "path"), [(cores, path) for cores in (2, 8) for path in FILES[cores]]
)
def test_results_do_not_depend_on_the_number_of_cores(results, path, cores):
    one, other = (results[number] / "results" / path for number in (1, cores))
    assert one.read_bytes() == other.read_bytes()


def test_features_do_not_depend_on_the_number_of_cores(results):
    found = {
        cores: sorted((folder / "results/features").glob("*/*/*/*.npy"))
        for cores, folder in results.items()
    }
    assert [len(found[cores]) for cores in (1, 8)] == [1, 1]
    assert found[1][0].read_bytes() == found[8][0].read_bytes()
