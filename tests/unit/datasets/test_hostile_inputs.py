"""Raw folders with damaged HDF5 files and sheets, pipes, and names that break lines."""

import gzip
import os

import h5py
import numpy as np
import pytest
from PIL import Image
from support import damaged_files as damaged
from support.repository import SCHEMAS

from blastfold.core.errors import InputError
from blastfold.core.manifest import read_manifest
from blastfold.core.tables import read_text_table
from blastfold.datasets.formats import c_nmc_2019, list_records, pcam
from blastfold.datasets.importing import import_dataset
from blastfold.experiment.slide_sheet import read_regions, read_slides

X, Y = (f"camelyonpatch_level_2_split_train_{ending}.h5" for ending in "xy")


def run_import(path, target, **settings):
    files = [target / name for name in ("images.npy", "manifest.tsv", "rejected.tsv", "set.json")]
    settings = {"format": "folder", "image_size": [12, 16], **settings}
    import_dataset("cells", path, settings, None, None, *files)
    return np.load(files[0]), read_manifest(files[1]), read_text_table(files[2])


def test_names_with_line_ends_stay_one_row_and_pipes_are_rejected(tmp_path):
    names = ["a\rb", "a\r\nb", "a\nb", "\r", "plain"]
    for class_name in ("normal", "blast"):
        (tmp_path / "raw" / class_name).mkdir(parents=True)
        for number, name in enumerate(names):
            image = damaged.draw(12, 16, number)
            Image.fromarray(image).save(tmp_path / "raw" / class_name / f"{name}.png")
    os.mkfifo(tmp_path / "raw" / "blast" / "pipe.png")
    images, manifest, rejected = run_import(tmp_path / "raw", tmp_path / "out", conflicts="report")
    assert len(images) == len(manifest) == 2 * len(names)
    expected = {f"{folder}/{name}.png" for folder in ("normal", "blast") for name in names}
    assert set(manifest["file"]) == expected
    for image, file in zip(images, manifest["file"], strict=True):
        number = names.index(file.split("/")[1].removesuffix(".png"))
        np.testing.assert_array_equal(image, damaged.draw(12, 16, number))
    assert rejected["file"].tolist() == ["blast/pipe.png"]
    assert rejected["reason"].tolist() == ["is not a regular file"]


def patches(folder, change=None, name=X, **options):
    """Six patches with their labels; ``change`` is given one of the open files."""
    folder.mkdir(exist_ok=True)
    images = np.stack([damaged.draw(32, 32, seed) for seed in range(6)])
    with h5py.File(folder / X, "w") as archive:
        archive.create_dataset("x", data=images, **options)
    with h5py.File(folder / Y, "w") as archive:
        archive["y"] = np.array([0, 1, 0, 1, 0, 1], np.uint8).reshape(-1, 1, 1, 1)
    if change:
        with h5py.File(folder / name, "r+") as archive:
            key = name[-4]
            kept = archive.pop(key)[:] if hasattr(archive, "pop") and key in archive else None
            change(archive, kept)
    return folder


def link_outside(archive, _):
    archive["x"] = h5py.ExternalLink("nowhere.h5", "/x")


def link_in_a_circle(archive, _):
    archive["x"] = h5py.SoftLink("/x")


def make_group(archive, _):
    archive.create_group("x")


def store_outside(archive, kept):
    archive.create_dataset(
        "x", kept.shape, kept.dtype, external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)]
    )


def make_virtual(archive, kept):
    layout = h5py.VirtualLayout(kept.shape, kept.dtype)
    layout[:] = h5py.VirtualSource("nowhere.h5", "x", kept.shape)
    archive.create_virtual_dataset("x", layout)


def claim_large_chunks(archive, kept):
    shape = (6, 2**14, 2**14, 3)
    archive.create_dataset("x", (6, 32, 32, 3), "u1", chunks=(1, *shape[1:]), maxshape=(None,) * 4)


def claim_large_patches(archive, _):
    archive.create_dataset("x", (6, 2**20, 2**20, 3), "u1", chunks=(1, 64, 64, 3))


def claim_many_labels(archive, _):
    archive.create_dataset("y", (2**40,), "u1", chunks=(2**10,))


def store_words(archive, _):
    archive["y"] = np.array([b"a"] * 6)


def store_a_scalar(archive, _):
    archive["y"] = 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (X, link_outside),
        (X, link_in_a_circle),
        (X, make_group),
        (X, store_outside),
        (X, make_virtual),
        (X, claim_large_chunks),
        (X, claim_large_patches),
        (Y, claim_many_labels),
        (Y, store_words),
        (Y, store_a_scalar),
    ],
)
def test_hdf5_files_that_claim_what_they_do_not_hold_are_named(tmp_path, name, change):
    folder = patches(tmp_path / "raw", change, name)
    with pytest.raises(InputError, match=name):
        list_records("pcam", folder, {})


@pytest.mark.parametrize("name", [X, Y])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.99])
def test_hdf5_files_cut_anywhere_are_named(tmp_path, name, share):
    folder = patches(tmp_path / "raw")
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=name):
        list_records("pcam", folder, {})


def test_a_damaged_chunk_rejects_its_row_alone(tmp_path):
    folder = patches(tmp_path / "raw", chunks=(1, 32, 32, 3), compression="gzip")
    with h5py.File(folder / X) as archive:
        chunk = archive["x"].id.get_chunk_info(2)
    content = bytearray((folder / X).read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    (folder / X).write_bytes(content)
    settings = {"format": "pcam", "image_size": [32, 32]}
    images, manifest, rejected = run_import(folder, tmp_path / "out", **settings)
    assert manifest["image_id"].tolist() == [f"train-{row:06d}" for row in (0, 1, 3, 4, 5)]
    for image, seed in zip(images, (0, 1, 3, 4, 5), strict=True):
        np.testing.assert_array_equal(image, damaged.draw(32, 32, seed))
    assert len(rejected) == 1
    assert rejected["reason"][0].startswith("row 2 cannot be read")


def test_compressed_files_named_h5_say_so(tmp_path):
    folder = patches(tmp_path / "raw")
    (folder / X).write_bytes(gzip.compress((folder / X).read_bytes()))
    with pytest.raises(InputError, match=rf"{X}' is compressed; unpack it with gunzip"):
        list_records("pcam", folder, {})


def test_pipes_in_place_of_hdf5_files_are_refused_at_once(tmp_path):
    folder = patches(tmp_path / "raw")
    (folder / Y).unlink()
    os.mkfifo(folder / Y)
    with pytest.raises(InputError, match=r"train_y.h5.*a pipe"):
        list_records("pcam", folder, {})


BAD_TABLES = [b"\xff\xfe\x00", b'a,"b\n', b"a\0b\n", b"", b"x" * 200_000 + b",labels\n1,2\n"]


@pytest.mark.parametrize("content", BAD_TABLES)
@pytest.mark.parametrize("read", [c_nmc_2019.read_labels, lambda path: pcam.read_slides(path, 2)])
def test_tables_that_are_none_are_named(tmp_path, content, read):
    (tmp_path / "sheet.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"sheet\.csv"):
        read(tmp_path / "sheet.csv")


@pytest.mark.parametrize(
    "read",
    [
        c_nmc_2019.read_labels,
        lambda path: pcam.read_slides(path, 2),
        lambda path: list_records("folder", path.parent, {"sheet": path.name}),
        lambda path: read_slides(path, SCHEMAS / "slides.schema.yaml"),
        lambda path: read_regions(path, {}),
    ],
)
def test_sheets_that_are_pipes_are_refused_at_once(tmp_path, read):
    os.mkfifo(tmp_path / "sheet.csv")
    with pytest.raises(InputError, match=r"sheet\.csv.*a pipe"):
        read(tmp_path / "sheet.csv")


def test_short_rows_of_the_preliminary_labels_are_named(tmp_path):
    (tmp_path / "sheet.csv").write_text("Patient_ID,new_names,labels\na.bmp\n")
    with pytest.raises(InputError, match="line 2, column labels: ''"):
        c_nmc_2019.read_labels(tmp_path / "sheet.csv")


def test_centroids_in_a_pipe_or_without_end_are_refused(tmp_path):
    Image.fromarray(damaged.draw()).save(tmp_path / "Im001_1.jpg")
    os.mkfifo(tmp_path / "Im001_1.xyc")
    for _ in range(2):
        with pytest.raises(InputError, match=r"Im001_1\.xyc"):
            list_records("all-idb1", tmp_path, {"crop": (9, 9)})
        (tmp_path / "Im001_1.xyc").unlink()
        (tmp_path / "Im001_1.xyc").write_text("1 2\n" * 2**19)
