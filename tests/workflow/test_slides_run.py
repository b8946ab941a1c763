"""Slides through the workflow: generated ones and a sheet, tiles, figure, data set, splits."""

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from support.workflow import planned_jobs, small_experiment, snakemake


def experiment(slides, **dataset):
    config = small_experiment(slides={"tile_size": 64} | slides)
    config["datasets"] = {"tiles": {"format": "tiles", "image_size": [32, 32]} | dataset}
    config["experiments"][0] |= {"datasets": ["tiles"], "protocols": ["subject_folds"]}
    return config


GENERATED = experiment({"demo": {"slides": 4, "size": [384, 384]}, "minimum_sharpness": 60})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    # Targets of the data set's first stages: training is the same as for any other images.
    run = snakemake(folder, "tiles", "datasets", "folds", config=GENERATED)
    assert run.returncode == 0, run.stdout
    return folder


def test_slide_becomes_a_data_set_with_folds_by_subject(finished):
    manifest = pd.read_csv(finished / "results/datasets/tiles/manifest.tsv", sep="\t")
    assert set(manifest["picture"]) == {"normal-01", "blast-01", "normal-02", "blast-02"}
    assert (manifest["subject"] == manifest["picture"]).all()
    for slide, rows in manifest.groupby("picture"):
        table = pd.read_csv(finished / f"results/slides/{slide}/tiles.tsv", sep="\t")
        assert len(rows) == table["kept"].sum()
        with h5py.File(finished / f"results/slides/{slide}/tiles.h5") as archive:
            assert archive["tiles"].shape == (len(rows), 64, 64, 3)
    folds = pd.read_csv(finished / "results/folds/tiles/subject_folds.tsv", sep="\t")
    merged = folds.merge(manifest, on="image_id")
    tested = merged[merged["role"] == "test"].groupby("fold")["subject"].agg(set)
    assert tested[0] & tested[1] == set()


def test_every_slide_has_its_figure(finished):
    for slide in ("normal-01", "blast-02"):
        for ending in ("pdf", "svg", "png"):
            assert (finished / f"results/figures/slides/{slide}.{ending}").exists()


def test_only_what_a_change_concerns_is_planned_again(finished):
    changed = experiment(GENERATED["slides"], image_size=[24, 24])
    jobs = planned_jobs(snakemake(finished, "--dry-run", "tiles", "datasets", config=changed))
    assert jobs["import_tiles"] == 1
    assert "tile_slide" not in jobs
    changed = experiment(GENERATED["slides"] | {"minimum_tissue": 0.9})
    jobs = planned_jobs(snakemake(finished, "--dry-run", "tiles", config=changed))
    assert (jobs["tile_slide"], "generate_slide" in jobs) == (4, False)


def write_sheet(folder, rows):
    lines = ["slide\tpath\tlabel\tsubject\tmpp", *("\t".join(row) for row in rows)]
    (folder / "slides.tsv").write_text("\n".join(lines) + "\n", "utf-8")


SHEET = experiment({"sheet": "slides.tsv", "when_empty": "exclude"})


def test_slide_without_tissue_is_left_out_and_listed(finished, tmp_path):
    rows = [
        (f"{name}.x", str(finished / f"results/demo_slides/{name}.tif"), name[:-3], name, "0.25")
        for name in ("normal-01", "blast-01")
    ]
    tifffile.imwrite(tmp_path / "empty.tif", np.full((200, 200, 3), 255, np.uint8), tile=(64, 64))
    write_sheet(tmp_path, [*rows, ("empty", "empty.tif", "normal", "third", "")])
    manifest = "results/datasets/tiles/manifest.tsv"
    run = snakemake(tmp_path, manifest, "results/figures/slides/empty.png", config=SHEET)
    assert run.returncode == 0, run.stdout
    assert set(pd.read_csv(tmp_path / manifest, sep="\t")["picture"]) == {
        "normal-01.x",
        "blast-01.x",
    }
    rejected = pd.read_csv(tmp_path / "results/datasets/tiles/rejected.tsv", sep="\t")
    assert rejected["file"].tolist() == ["empty/tiles.h5"]
    assert "rejected are 9 background" in rejected["reason"].iloc[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "lost.svs", "normal", "s", "")], "slide a: the file lost.svs does not exist"),
        ([("a", "x", "l", "s", "")] * 2, "row 3: slide 'a' is listed twice"),
    ],
)
def test_what_is_wrong_with_a_sheet_is_reported_before_anything_runs(tmp_path, rows, message):
    write_sheet(tmp_path, rows)
    run = snakemake(tmp_path, "--dry-run", "tiles", config=SHEET)
    assert run.returncode != 0
    assert message in run.stdout


def test_a_slide_that_cannot_be_read_stops_with_its_reason_in_the_log(tmp_path):
    (tmp_path / "slide.svs").write_bytes(bytes(1000))
    write_sheet(tmp_path, [("a", "slide.svs", "normal", "s", "")])
    config = experiment({"sheet": "slides.tsv"})
    run = snakemake(tmp_path, "results/slides/a/tiles.tsv", config=config)
    assert run.returncode != 0
    log = (tmp_path / "logs/tile_slide/a.log").read_text("utf-8")
    assert "slide 'a' of the sheet: 'slide.svs' is not a slide" in log
    assert not (tmp_path / "results/slides/a/tiles.tsv").exists()
