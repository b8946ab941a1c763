import hashlib
import json
import logging
import os
import subprocess
import sys

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from support.repository import REPOSITORY, RESOURCES

from blastfold.core.errors import InputError
from blastfold.core.manifest import COLUMNS, class_names
from blastfold.core.raw_files import RawContent, digest_raw_folder
from blastfold.datasets.importing import import_dataset
from blastfold.datasets.summary import compare_counts, count_images

KNOWN = yaml.safe_load((RESOURCES / "datasets.yaml").read_text("utf-8"))


def random_image(seed, height=12, width=16):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        file_format = {".jpg": "JPEG", ".tif": "TIFF"}.get(path.suffix, path.suffix[1:].upper())
        Image.fromarray(image).save(stream, file_format)


def run_import(path, target, threads=2, expected=None, raw=None, grown=None, **settings):
    names = ("images.npy", "manifest.tsv", "rejected.tsv", "dataset.json")
    files = [target / name for name in names]
    settings = {"format": "folder", "image_size": [12, 16], **settings}
    import_dataset("cells", path, settings, expected, raw, *files, threads, grown)
    tables = [pd.read_csv(file, sep="\t", keep_default_na=False, dtype=str) for file in files[1:3]]
    return np.load(files[0], mmap_mode="r"), *tables, json.loads(files[3].read_text("utf-8"))


NAMES = [
    "normal/two words.png",
    'normal/it\'s "so".bmp',
    "normal/größe 細胞.tif",
    "blast/tab\there.png",
    "blast/plain.bmp",
    'blast/"quoted".png',
]


def folder_of_cells(root):
    for seed, name in enumerate(NAMES):
        save(root / name, random_image(seed))
    return {name: random_image(seed) for seed, name in enumerate(NAMES)}


@pytest.mark.parametrize("threads", [1, 3])
def test_every_row_of_the_manifest_describes_its_image(tmp_path, threads):
    cells = folder_of_cells(tmp_path / "raw")
    images, manifest, rejected, summary = run_import(
        tmp_path / "raw", tmp_path / "out", threads=threads
    )
    assert tuple(manifest.columns) == COLUMNS
    assert sorted(manifest["file"]) == sorted(NAMES)
    for row, file in enumerate(manifest["file"]):
        np.testing.assert_array_equal(images[row], cells[file])
        content = (tmp_path / "raw" / file).read_bytes()
        assert manifest["sha256"][row] == hashlib.sha256(content).hexdigest()
        assert manifest["label"][row] == str(int(file.startswith("blast")))
    assert run_import(tmp_path / "raw", tmp_path / "out")[-1] == summary
    assert rejected.empty
    assert list(rejected.columns) == ["file", "reason"]
    assert (summary["name"], summary["raw_sha256"]) == ("cells", None)
    assert (summary["images"], summary["rejected"]) == (6, 0)
    assert summary["classes"] == ["normal", "blast"]
    assert summary["class_images"] == {"normal": 3, "blast": 3}
    assert class_names(manifest) == ("normal", "blast")
    assert summary["image_size"] == [12, 16]
    assert summary["source_sizes"] == [[12, 16, 6]]
    for key, file in (("images_sha256", "images.npy"), ("manifest_sha256", "manifest.tsv")):
        content = (tmp_path / "out" / file).read_bytes()
        assert summary[key] == hashlib.sha256(content).hexdigest()


def test_bad_images_are_written_down_and_the_rest_stays_in_step(tmp_path):
    raw = tmp_path / "raw"
    cells = folder_of_cells(raw)
    (raw / "blast" / "a empty.bmp").write_bytes(b"")
    whole = (raw / "blast" / "plain.bmp").read_bytes()
    (raw / "blast" / "half 'x'.bmp").write_bytes(whole[: len(whole) // 2])
    (raw / "normal" / "notes.jpg").write_text("not an image")
    save(raw / "normal" / "small.png", random_image(9, 8, 16))
    (raw / "normal" / "locked.png").symlink_to(tmp_path / "nowhere")
    images, manifest, rejected, summary = run_import(raw, tmp_path / "out", crop=[10, 10])
    assert len(images) == len(manifest) == 6
    for row, file in enumerate(manifest["file"]):
        reference = cv2.resize(cells[file][1:11, 3:13], (16, 12), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(images[row], reference)
    reasons = dict(zip(rejected["file"], rejected["reason"], strict=True))
    assert reasons["blast/a empty.bmp"] == "the file is empty (0 bytes)"
    assert reasons["blast/half 'x'.bmp"].startswith("truncated BMP file")
    assert reasons["normal/notes.jpg"].startswith("not a BMP, PNG, TIFF or JPEG")
    assert "smaller than the crop of 10 x 10" in reasons["normal/small.png"]
    assert "No such file" in reasons["normal/locked.png"]
    assert summary["rejected"] == len(rejected) == 5
    content = (tmp_path / "out" / "images.npy").read_bytes()
    assert summary["images_sha256"] == hashlib.sha256(content).hexdigest()


def test_a_class_left_empty_stops_and_leaves_nothing_behind(tmp_path):
    save(tmp_path / "raw/normal/a.png", random_image(1))
    (tmp_path / "raw/blast").mkdir()
    (tmp_path / "raw/blast/b.png").write_bytes(b"")
    message = r"'cells': no blast image is left, all 1 were rejected.*'blast/b.png': the file is em"
    with pytest.raises(InputError, match=message):
        run_import(tmp_path / "raw", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_grown_data_set_without_room_for_its_originals_is_an_error_of_the_import(tmp_path):
    folder_of_cells(tmp_path / "raw")
    (tmp_path / "raw/blast/empty.png").write_bytes(b"")
    message = r"datasets.more.grow.blast: received 2, but the data set has 3 blast images"
    with pytest.raises(InputError, match=message):
        run_import(tmp_path / "raw", tmp_path / "out", grown={"more": {"normal": 3, "blast": 2}})
    assert list((tmp_path / "out").iterdir()) == []
    # A rejected image is none of the originals.
    for grow in ({"normal": 3, "blast": 3}, {"times": 2}):
        images, *_ = run_import(tmp_path / "raw", tmp_path / "out", grown={"more": grow})
        assert len(images) == 6


def test_errors_of_the_whole_data_set_come_before_any_output(tmp_path):
    with pytest.raises(InputError, match=r"nowhere' does not exist.*resources/README.md"):
        run_import(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_idb1_cells_are_cut_from_one_decoded_photograph(tmp_path):
    raw = tmp_path / "raw"
    photograph, healthy = random_image(1, 60, 80), random_image(2, 60, 80)
    save(raw / "im/Im001_1.png", photograph)
    save(raw / "im/Im034_0.png", healthy)
    (raw / "xyc").mkdir()
    (raw / "xyc/Im001_1.xyc").write_text("40 30\n2\t58\n200 5\n")
    images, manifest, rejected, _ = run_import(
        raw, tmp_path / "out", format="all-idb1", crop=[12, 16], image_size=[12, 16]
    )
    np.testing.assert_array_equal(images[0], photograph[24:36, 32:48])
    np.testing.assert_array_equal(images[1], photograph[48:60, 0:16])
    np.testing.assert_array_equal(images[2], healthy[24:36, 32:48])
    assert manifest["image_id"].tolist() == ["Im001_1_cell01", "Im001_1_cell02", "Im034_0"]
    assert manifest["picture"].tolist() == ["Im001_1", "Im001_1", "Im034_0"]
    assert manifest[["height", "width"]].to_numpy().tolist() == [["60", "80"]] * 3
    assert manifest["sha256"].nunique() == 3
    assert manifest["sha256"][0] == hashlib.sha256(images[0].tobytes()).hexdigest()
    assert "x 200, y 5 is outside the picture" in rejected["reason"][0]


@pytest.mark.parametrize("threads", [1, 3])
def test_pcam_rows_are_read_in_blocks_and_in_order(tmp_path, threads):
    raw = tmp_path / "raw"
    raw.mkdir()
    rng = np.random.default_rng(0)
    expected = []
    for part, count in (("train", 700), ("valid", 3)):
        patches = rng.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
        expected.append(patches)
        name = f"camelyonpatch_level_2_split_{part}"
        with h5py.File(raw / f"{name}_x.h5", "w") as stream:
            stream.create_dataset(
                "x", data=patches, chunks=(min(50, count), 8, 8, 3), compression="gzip"
            )
        with h5py.File(raw / f"{name}_y.h5", "w") as stream:
            stream["y"] = (np.arange(count) % 2).astype(np.uint8).reshape(-1, 1, 1, 1)
    images, manifest, _, summary = run_import(
        raw, tmp_path / "out", threads=threads, format="pcam", image_size=[8, 8]
    )
    np.testing.assert_array_equal(images, np.concatenate(expected))
    assert manifest["image_id"].tolist()[699:701] == ["train-000699", "valid-000000"]
    assert manifest["sha256"][701] == hashlib.sha256(images[701].tobytes()).hexdigest()
    assert summary["images"] == 703


def test_differences_from_the_public_counts_are_reported(tmp_path, caplog):
    for seed, file in enumerate(["all/UID_1_1_1_all.png", "hem/UID_H1_1_1_hem.png"]):
        save(tmp_path / "raw/fold_0" / file, random_image(seed))
    known = KNOWN["c-nmc-2019"]
    with caplog.at_level(logging.WARNING):
        summary = run_import(
            tmp_path / "raw", tmp_path / "out", format="c-nmc-2019", expected=known
        )[-1]
    differences = compare_counts(summary, known)
    assert differences == [
        "part fold_0: 2 images, the public data set has 3527",
        "part fold_0: 1 normal images, the public data set has 1130",
        "part fold_0: 1 blast images, the public data set has 2397",
        "the part fold_1 of the public data set is absent",
        "the part fold_2 of the public data set is absent",
        "the part preliminary of the public data set is absent",
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"cells: {difference}" for difference in differences
    ]


def planned(raw, cache):
    return RawContent(digest_raw_folder(raw, cache), str(cache))


def test_the_record_names_the_imported_raw_files(tmp_path):
    folder_of_cells(tmp_path / "raw")
    raw = planned(tmp_path / "raw", tmp_path / "cache.json")
    summary = run_import(tmp_path / "raw", tmp_path / "out", raw=raw)[-1]
    assert summary["raw_sha256"] == raw.digest


def test_files_that_were_changed_since_the_plan_are_not_imported(tmp_path):
    folder_of_cells(tmp_path / "raw")
    raw = planned(tmp_path / "raw", tmp_path / "cache.json")
    save(tmp_path / "raw" / NAMES[0], random_image(99))
    with pytest.raises(InputError, match="were changed since this import was planned"):
        run_import(tmp_path / "raw", tmp_path / "out", raw=raw)
    assert not (tmp_path / "out" / "images.npy").exists()


def test_files_that_are_changed_during_the_import_are_not_imported(tmp_path, monkeypatch):
    folder_of_cells(tmp_path / "raw")
    raw = planned(tmp_path / "raw", tmp_path / "cache.json")
    decode = cv2.imdecode

    def decode_and_disturb(*arguments):
        save(tmp_path / "raw" / "blast" / "late.png", random_image(99))
        return decode(*arguments)

    monkeypatch.setattr(cv2, "imdecode", decode_and_disturb)
    with pytest.raises(InputError, match="were changed while it was imported"):
        run_import(tmp_path / "raw", tmp_path / "out", raw=raw)
    assert list((tmp_path / "out").iterdir()) == []


def test_only_the_parts_asked_for_are_compared():
    manifest = pd.DataFrame(
        {"class": ["b", "a"], "subject": ["a", ""], "picture": ["", ""], "part": ["x", "x"]}
    ).assign(height=2, width=3, label=[1, 0])
    found = count_images(manifest)
    expected = {"images": 9, "parts": {"x": {"images": 2, "subjects": 1}, "y": {"images": 7}}}
    assert compare_counts({**found, "asked_parts": ["x"]}, expected) == []
    assert compare_counts({**found, "asked_parts": []}, expected) == [
        "2 images, the public data set has 9",
        "the part y of the public data set is absent",
    ]
    assert compare_counts({**found, "asked_parts": []}, None) == []


def test_known_counts_agree_with_the_published_totals():
    known = KNOWN
    training = [known["c-nmc-2019"]["parts"][f"fold_{number}"] for number in range(3)]
    totals = {key: sum(part[key] for part in training) for key in ("images", "normal", "blast")}
    assert totals == {"images": 10661, "normal": 3389, "blast": 7272}
    assert sum(part["images"] for part in known["pcam"]["parts"].values()) == 327_680
    assert "folder" not in known


def test_the_import_needs_no_training_library():
    code = (
        "import sys, blastfold.datasets.importing;"
        "print([name for name in ('keras', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow" / "scripts")}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_the_real_c_nmc_sample_is_imported_through_a_link(tmp_path, test_data):
    (tmp_path / "c_nmc_2019").symlink_to(test_data / "cnmc2019_sample")
    images, manifest, rejected, summary = run_import(
        tmp_path / "c_nmc_2019", tmp_path / "out", format="c-nmc-2019", image_size=[50, 50]
    )
    assert images.shape == (1183, 50, 50, 3)
    assert summary["source_sizes"] == [[450, 450, 1183]]
    assert summary["class_images"] == {"normal": 600, "blast": 583}
    assert summary["subjects"] == 14
    assert rejected.empty
    for row in (0, 600, 1182):
        source = Image.open(test_data / "cnmc2019_sample" / manifest["file"][row])
        blocks = np.asarray(source, dtype=float).reshape(50, 9, 50, 9, 3).mean(axis=(1, 3))
        assert np.abs(images[row] - blocks).max() <= 0.51


def test_the_real_pcam_sample_is_imported_exactly(tmp_path, test_data):
    images, manifest, _, summary = run_import(
        test_data / "pcam_sample", tmp_path / "out", format="pcam", image_size=[96, 96]
    )
    assert summary["images"] == 2000
    assert list(summary["class_images"].values()) == [1000, 1000]
    start = 0
    for part in ("train", "valid", "test"):
        name = f"camelyonpatch_level_2_split_{part}"
        with h5py.File(test_data / "pcam_sample" / f"{name}_x.h5") as stream:
            patches = stream["x"][:]
        with h5py.File(test_data / "pcam_sample" / f"{name}_y.h5") as stream:
            labels = stream["y"][:].ravel()
        stop = start + len(patches)
        np.testing.assert_array_equal(images[start:stop], patches)
        assert manifest["label"][start:stop].astype(int).tolist() == labels.tolist()
        start = stop
