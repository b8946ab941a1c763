"""A run in which jobs fail: the others continue, and it ends with a list."""

import pytest
from support.workflow import small_experiment, snakemake, write_cells


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Two data sets, of which one has a damaged sheet, and a split that is not possible."""
    folder = tmp_path_factory.mktemp("failed")
    write_cells(folder / "resources/raw/cells")
    write_cells(folder / "resources/raw/others")
    sheet = folder / "resources/raw/others/sheet.tsv"
    sheet.write_text(sheet.read_text("utf-8").replace("label", "category", 1), "utf-8")
    config = small_experiment()
    config["datasets"]["others"] = config["datasets"]["cells"]
    config["protocols"]["too_many"] = {"kind": "kfold", "folds": 30, "group_by": "subject"}
    config["experiments"] = [
        {"datasets": ["cells"], "protocols": ["too_many", "holdout"], "models": ["simple_cnn"]},
        {"datasets": ["others"], "protocols": ["holdout"], "models": ["simple_cnn"]},
    ]
    return folder, snakemake(folder, "folds", config=config)


def test_independent_jobs_continue(failed):
    folder, run = failed
    assert run.returncode == 1
    assert (folder / "results/folds/cells/holdout.leakage.tsv").exists()


def test_the_run_ends_with_a_list_of_failed_jobs(failed):
    _, run = failed
    text = run.stdout[run.stdout.index("2 jobs failed; ") :]
    assert "5 jobs not run because of that:" in text
    assert "assign_folds (dataset cells, protocol too_many)" in text
    assert "import_dataset (dataset others)" in text
    assert text.count("log: logs/") == text.count("what to do: Correct") == 2
    assert "30 folds by subject" in text
    assert "start the same command again" in text
