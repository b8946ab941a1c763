"""What people hand over: small odd folders, each with what its import must do.

Every file must be imported, rejected with a reason or ignored by a named rule, and what may be a
mistake must be reported.
"""

import csv
import io
import json
import logging
import os
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support import damaged_files as damaged
from support.repository import REPOSITORY, SCHEMA
from support.tiff_surgery import with_count, with_link

from blastfold.core.errors import InputError
from blastfold.core.manifest import read_manifest
from blastfold.core.raw_files import IGNORED_FILES, IGNORED_FOLDERS
from blastfold.core.tables import read_text_table
from blastfold.datasets.accounting import ODD, RULES, describe_imports, reason_kind
from blastfold.datasets.formats import list_files
from blastfold.datasets.formats.common import plain_value
from blastfold.datasets.importing import import_dataset
from blastfold.datasets.pixel_checks import ignoring_globs, what_it_shows
from blastfold.experiment.config import check_config
from blastfold.folds.assignment import split

CLASSES = ("normal", "blast")


def cell(number, size=24):
    """A noisy image with a dark disc; no two numbers give the same pixels."""
    draw = np.random.default_rng(number)
    picture = draw.normal(225, 6, (size, size, 3))
    y, x = np.mgrid[:size, :size]
    picture[np.hypot(y - size / 2, x - size / 2) < size / 3] = draw.integers(40, 160, 3)
    noisy = picture + draw.normal(0, 8, picture.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def put(root, name, number=None, image=None, **options):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image or cell(abs(hash(name)) % 2**32 if number is None else number)
    image.save(path, **options)


def sheet(root, text, name="cells.csv"):
    (root / name).write_text(text, encoding="utf-8")
    return {"sheet": name}


class Imported:
    """An imported folder: its manifest, rejected files, summary and store."""

    def __init__(self, root, **settings):
        target = root.parent / f"out-{len(list(root.parent.iterdir()))}"
        names = ("images.npy", "manifest.tsv", "rejected.tsv", "dataset.json")
        files = [target / name for name in names]
        settings = {"format": "folder", "image_size": [24, 24], **settings}
        import_dataset("case", root, settings, None, None, *files)
        self.images = np.load(files[0])
        self.manifest = read_manifest(files[1])
        self.rejected = read_text_table(files[2])
        self.summary = json.loads(files[3].read_text("utf-8"))
        self.odd = {odd["code"]: odd for odd in self.summary["odd"]}
        self.files = self.summary["files"]

    def column(self, name):
        return self.manifest.set_index("file")[name].to_dict()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


def two_classes(root, count=4):
    for number in range(count):
        put(root, f"{CLASSES[number % 2]}/c{number}.png", number)


def files_on_disk(root):
    """All files, found without the library."""
    return sum(len(names) for _, _, names in os.walk(root))


# Folders and labels


def test_a_distant_folder_that_is_named_like_a_class_labels_nothing(root):
    for number in range(6):
        put(root, f"All/patient-{number}/Neutrophil/n.png")
        put(root, f"All/patient-{number}/Normal/m.png")
        put(root, f"All/patient-{number}/Lymphoblast/b.png")
    put(root, "All/patient-0/Band cell/x.png")
    with pytest.raises(InputError) as error:
        list_files("folder", root, {})
    text = str(error.value)
    assert "7 images are in folders that are not classes:" in text
    assert "  Neutrophil: 6 images\n  Band cell: 1 image\n" in text
    assert "classes: {normal: ['Neutrophil']" in text
    assert "ignore: ['Neutrophil']" in text
    found = list_files("folder", root, {"ignore": ["Neutrophil", "Band cell"]})
    labels = dict(zip(found.records["file"], found.records["class"], strict=True))
    assert labels["All/patient-3/Normal/m.png"] == "normal"
    assert labels["All/patient-3/Lymphoblast/b.png"] == "blast"
    assert len(labels) == 12
    assert set(found.ignored.values()) == {"ignore:Neutrophil", "ignore:Band cell"}


def test_numbers_are_classes_only_where_no_folder_has_a_class_name(root):
    for number in range(4):
        put(root, f"{CLASSES[number % 2]}/{number // 2}/c{number}.png")
    records = list_files("folder", root, {}).records
    assert records["file"].str.partition("/")[0].tolist() == records["class"].tolist()
    numbered = root.parent / "numbered"
    for number in range(4):
        put(numbered, f"{number % 2}/c{number}.png")
    records = list_files("folder", numbered, {}).records
    assert records["label"].tolist() == [0, 0, 1, 1]
    classes = {"normal": [0], "blast": [2, "blast"]}
    put(numbered, "2/c.png")
    put(numbered, "blast/d.png")
    with pytest.raises(InputError, match=r"(?s)not classes:\n  1: 2 images\nExpected"):
        list_files("folder", numbered, {"classes": classes})


def test_word_folders_below_a_class_are_reported(root):
    for number in range(4):
        put(root, f"normal/Lymphocyte/a{number}.png")
        put(root, f"blast/slide 1/b{number}.png")
    odd = Imported(root).odd["folders_below_classes"]
    assert (odd["images"], odd["names"]) == (4, "'Lymphocyte'")


def test_kinds_of_cells_of_several_patients_do_not_take_a_distant_diagnosis(root):
    for number in range(4):
        put(root, f"leukemia/P{number}/neutrophil/n{number}.png")
        put(root, f"leukemia/P{number}/slide A/s{number}.png")
        put(root, f"healthy/P{number + 4}/h{number}.png")
    with pytest.raises(
        InputError, match=r"(?s)not classes:\n  neutrophil: 4 images\nExpected.*pat"
    ):
        list_files("folder", root, {})
    found = list_files("folder", root, {"pattern": "{class}/{subject}/**"}).records
    assert (found["label"].sum(), found["subject"].nunique()) == (8, 8)
    found = list_files("folder", root, {"ignore": ["neutrophil"]}).records
    assert found["label"].tolist() == [0] * 4 + [1] * 4


def test_a_class_name_with_a_comma_is_in_quotation_marks_in_messages(root):
    put(root, "other/a.png")
    classes = {"normal": ["band, segmented", "mono"], "blast": ["blast"]}
    with pytest.raises(InputError, match=r"normal: 0, 'band, segmented', mono; blast: 1, blast\."):
        list_files("folder", root, {"classes": classes})


def test_images_in_no_folder_are_explained(root):
    for number in range(12):
        put(root, f"q{number}.png")
    with pytest.raises(InputError, match=r"(?s)12 images are directly in this folder.*path,label"):
        list_files("folder", root, {})


def test_the_class_may_be_in_the_name(root):
    for number in range(6):
        put(root, f"P{number}_{['hem', 'all'][number % 2]}.png")
    imported = Imported(root, pattern="{subject}_{class}")
    assert imported.column("class")["P1_all.png"] == "blast"
    assert imported.column("subject")["P4_hem.png"] == "P4"
    put(root, "P9_other.png")
    with pytest.raises(InputError, match=r"(?s)not classes:\n  other: 1 image\n"):
        Imported(root, pattern="{subject}_{class}")


def test_labels_that_are_turned_round_are_reported(root):
    rows = []
    for number in range(6):
        put(root, f"{['all', 'hem'][number % 2]}/f{number}.png", number)
        rows.append(f"{['all', 'hem'][number % 2]}/f{number}.png,{number % 2}")
    settings = sheet(root, "\n".join(["path,label", *rows]))
    odd = Imported(root, **settings).odd["folder_and_label"]
    assert (odd["images"], odd["of"]) == (6, 6)
    with pytest.raises(InputError, match=r"(?s)disagree for 6 of 6 images.*suspicious: warn"):
        Imported(root, **settings, suspicious="error")
    right = [row[:-1] + str(1 - int(row[-1])) for row in rows]
    settings = sheet(root, "\n".join(["path,label", *right]))
    assert "folder_and_label" not in Imported(root, **settings).odd


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_train_val_and_test_folders_are_parts(root, name):
    for number in range(30):
        part = ["train", name, "Test"][number // 2 % 3]
        put(root, f"{part}/{CLASSES[number % 2]}/t{number}.png", number)
    imported = Imported(root)
    assert {part: counts["images"] for part, counts in imported.summary["parts"].items()} == {
        "test": 10,
        "train": 10,
        name: 10,
    }
    config = {
        "datasets": {"case": {"format": "folder", "path": str(root), "image_size": [24, 24]}},
        "protocols": {"p": {"kind": "predefined", "test_parts": ["test"]}},
        "models": {"m": {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": ["case"], "protocols": ["p"], "models": ["m"]}],
    }
    protocol = {"name": "p", **check_config(config, SCHEMA)["protocols"]["p"]}
    images = imported.manifest.assign(group=imported.manifest["image_id"])
    roles = split(images, protocol, seed=1).merge(images).groupby("role")["part"].unique()
    assert {role: list(parts) for role, parts in roles.items()} == {
        "train": ["train"],
        "validation": [name],
        "test": ["test"],
    }


# Which files are images


def test_images_are_known_by_content_and_the_others_have_a_reason(root):
    for number in range(4):
        folder = CLASSES[number % 2]
        put(root, f"{folder}/a{number}.jfif", number, format="JPEG")
        put(root, f"{folder}/b{number}", number + 10, format="PNG")
        put(root, f"{folder}/c{number}.webp", number + 20)
        put(root, f"{folder}/d{number}.gif", number + 30)
        put(root, f"{folder}/e{number}.jp2", number + 40)
        put(root, f"{folder}/f{number}.png", number + 50, format="WEBP")
    (root / "normal" / "numbers.npy").write_bytes(b"\x93NUMPY")
    (root / "README").write_text("about")
    (root / "notes.txt").write_text("about")
    imported = Imported(root)
    names = {
        f"{CLASSES[number % 2]}/{name}"
        for number in range(4)
        for name in (f"a{number}.jfif", f"b{number}")
    }
    assert set(imported.manifest["file"]) == names
    reasons = imported.rejected.set_index("file")["reason"].to_dict()
    rest = ", which is not read; expected BMP, PNG, TIFF or JPEG (save it as PNG)"
    assert reasons.pop("normal/numbers.npy").startswith("not an image file (it starts with b'\\x93")
    assert reasons == {
        f"{CLASSES[number % 2]}/{name}{number}.{ending}": f"{kind} file{rest}"
        for number in range(4)
        for name, ending, kind in (
            *(("c", "webp", "WebP"), ("d", "gif", "GIF")),
            *(("e", "jp2", "JPEG 2000"), ("f", "png", "WebP")),
        )
    }
    kinds = [f"{kind} file, which is not read" for kind in ("WebP", "GIF", "JPEG 2000")]
    counts = imported.files["rejected_by"]
    assert [sum(counts[key] for key in counts if key.startswith(kind)) for kind in kinds] == [
        8,
        4,
        4,
    ]
    assert imported.files["found"] == files_on_disk(root) == 27
    assert imported.files["endings"][".webp"] == imported.files["endings"][""] - 1 == 4
    assert imported.files["ignored_by"] == {"document": 2}
    assert ".gif (4)" in imported.odd["other_endings"]["names"]
    assert imported.odd["rejected_share"]["rejected"] == imported.files["rejected"]


def test_damaged_files_are_rejected_with_their_reason_and_the_others_imported(root):
    two_classes(root)
    stream = io.BytesIO()
    cell(7, 64).save(stream, "JPEG", quality=95)
    half = stream.getvalue()[: len(stream.getvalue()) // 2]
    strips = damaged.encode_tiff(np.asarray(cell(8)), rowsperstrip=4)
    fewer = with_count(with_count(strips, 273, 2), 279, 2)
    files = {
        "half.jpg": (half + b"\xff\xd9", "truncated JPEG file: its end marker comes before"),
        "strips.tif": (fewer, "truncated TIFF file: image data are missing"),
        "circle.tif": (with_link(strips, 0, 8), "its chain of pages runs in a circle"),
        "pointer.png": (b"version https://git-lfs.github.com/spec/v1\n", "not a BMP, PNG, TIFF or"),
        "empty.png": (b"", "the file is empty (0 bytes)"),
    }
    for name, (content, _) in files.items():
        (root / "blast" / name).write_bytes(content)
    imported = Imported(root)
    assert set(imported.manifest["file"]) == {f"{CLASSES[n % 2]}/c{n}.png" for n in range(4)}
    reasons = imported.rejected.set_index("file")["reason"].to_dict()
    assert set(reasons) == {f"blast/{name}" for name in files}
    for name, (_, reason) in files.items():
        assert reason in reasons[f"blast/{name}"]
    assert imported.files["rejected"] == imported.odd["rejected_share"]["rejected"] == 5


def test_links_in_a_circle_add_no_images(root):
    two_classes(root, 8)
    (root / "l1").symlink_to(".")
    (root / "l2").symlink_to(root)
    (root / "normal" / "up").symlink_to("..")
    (root / "blast" / "other").symlink_to("../normal")
    (root / "blast" / "itself").symlink_to("itself")
    imported = Imported(root)
    assert len(imported.manifest) == imported.files["imported"] == 8
    # A link to itself is not a folder, but a file that cannot be read.
    assert imported.rejected["file"].tolist() == ["blast/itself"]
    assert imported.files["found"] == 9


def test_a_pipe_is_rejected_and_does_not_wait(root):
    two_classes(root)
    os.mkfifo(root / "normal" / "pipe")
    os.mkfifo(root / "normal" / "pipe.png")
    imported = Imported(root)
    reasons = imported.rejected.set_index("file")["reason"].to_dict()
    assert reasons == dict.fromkeys(["normal/pipe", "normal/pipe.png"], "is not a regular file")


MASK = (np.indices((24, 24)).sum(0) % 24 < 9) * np.uint8(255)


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (MASK, ["c{}_mask.png"]),
        (MASK, ["c{}_mask.png", "c{}_mask_1.png", "c{} gt.bmp"]),
        (np.repeat(MASK[..., None], 3, axis=2), ["c{}_seg.png"]),
        (np.digitize(MASK, [1]).astype(np.uint8) * 128, ["masks/c{}.png"]),
    ],
)
def test_masks_among_images_are_reported_with_the_globs_that_ignore_them(root, mask, names):
    for number in range(4):
        put(root, f"{CLASSES[number % 2]}/c{number}.png", number)
        for name in names:
            file = f"{CLASSES[number % 2]}/{name.format(number)}"
            put(root, file, image=Image.fromarray(mask))
    imported = Imported(root)
    odd = imported.odd["masks"]
    assert odd["images"] == len(imported.manifest) - 4
    globs = [glob.strip("' ") for glob in odd["globs"].split(",")]
    again = Imported(root, ignore=globs)
    assert "masks" not in again.odd
    assert len(again.manifest) == 4
    with pytest.raises(InputError, match="look like masks"):
        Imported(root, suspicious="error")


@pytest.mark.parametrize("ending", ["png", "bmp", "tif"])
def test_one_bit_masks_are_rejected_whatever_their_name(root, ending):
    for number in range(4):
        put(root, f"{CLASSES[number % 2]}/c{number}.png", number)
        mask = Image.fromarray(MASK).convert("1")
        put(root, f"{CLASSES[number % 2]}/m{number}.{ending}", image=mask)
    imported = Imported(root)
    assert set(imported.manifest["file"]) == {f"{CLASSES[n % 2]}/c{n}.png" for n in range(4)}
    assert imported.rejected["reason"].str.startswith("1-bit image").tolist() == [True] * 4


def test_globs_for_masks_never_leave_out_an_image():
    others = {"a/1.png", "a/2_1.png", "b/x.png"}
    masks = ["a/1_1.png", "b/x_mask.png", "m/q.png", "b/alone.png"]
    assert ignoring_globs(masks, others) == ["a/1_1.png", "*_mask.png", "m/", "b/alone.png"]


def test_masks_are_distinguished_from_cells():
    jpeg = np.clip(MASK.astype(int) + np.random.default_rng(0).integers(-6, 6, MASK.shape), 0, 255)
    assert what_it_shows(np.repeat(jpeg[..., None], 3, axis=2).astype(np.uint8)) == "masks"
    assert what_it_shows(np.full((30, 40, 3), 7, np.uint8)) == "one_colour"
    assert what_it_shows(np.asarray(cell(1))) == ""
    grey = np.asarray(cell(1).convert("L").convert("RGB"))
    assert what_it_shows(grey) == ""
    sparse = np.full((200, 200, 3), 255, np.uint8)
    sparse[99, :150, 0] = np.arange(150)
    assert what_it_shows(sparse) == ""


@pytest.mark.parametrize("name", [*IGNORED_FOLDERS, ".ipynb_checkpoints", ".git", "@EADIR"])
def test_what_systems_leave_is_ignored_and_counted(root, name):
    two_classes(root)
    put(root, f"normal/{name}/c0.png/THUMB.png")
    (root / name).mkdir()
    (root / name / "inside").write_text("x")
    (root / "blast" / "Thumbs.db").write_text("x")
    imported = Imported(root)
    assert len(imported.manifest) == 4
    rule = "hidden" if name.startswith(".") else "system"
    expected = {"hidden": 2, "system": 1} if rule == "hidden" else {"system": 3}
    assert imported.files["ignored_by"] == expected


def test_the_manual_lists_what_is_ignored():
    manual = (REPOSITORY / "resources" / "README.md").read_text("utf-8")
    for name in (*IGNORED_FOLDERS, *IGNORED_FILES):
        assert f"`{name.strip()}`" in manual, name


# Subjects


def test_names_that_look_like_subjects_are_proposed_as_a_pattern(root):
    for number in range(12):
        put(root, f"{CLASSES[number % 2]}/pat{number // 3}-{number}.png", number)
    odd = Imported(root).odd["pattern_proposed"]
    assert (odd["pattern"], odd["values"], odd["images"]) == ("{subject}-*", 4, 12)
    imported = Imported(root, pattern=odd["pattern"])
    assert imported.summary["subjects"] == 4
    assert "pattern_proposed" not in imported.odd
    # The names are those of pictures: the user has said so.
    assert "pattern_proposed" not in Imported(root, pattern="{picture}-*").odd


def test_names_of_c_nmc_are_known(root):
    for number in range(12):
        blast = number % 2
        name = f"UID_{'' if blast else 'H'}{number + 1}_{number}_1_{['hem', 'all'][blast]}.png"
        put(root, f"{['healthy', 'leukemia'][blast]}/{name}", number)
    odd = Imported(root).odd["names_with_subjects"]
    assert (odd["source"], odd["values"], odd["images"]) == ("C-NMC 2019", 12, 12)
    imported = Imported(root, pattern=odd["pattern"])
    assert imported.column("subject")["healthy/UID_H3_2_1_hem.png"] == "H3"
    assert imported.column("picture")["healthy/UID_H3_2_1_hem.png"] == "H3_2"


def test_folders_that_look_like_subjects_are_proposed_as_a_pattern(root):
    for number in range(12):
        file = f"{CLASSES[number % 2]}/patient_{number // 2}/slide_{number % 3}/t{number}.png"
        put(root, f"site/{file}", number)
    odd = Imported(root).odd["pattern_proposed"]
    assert odd["pattern"] == "{class}/{subject}/{picture}/*"
    imported = Imported(root, pattern=odd["pattern"])
    file = "site/blast/patient_2/slide_2/t5.png"
    assert imported.column("subject")[file] == "patient_2"
    assert imported.column("picture")[file] == "patient_2_slide_2"
    assert imported.summary["subjects"] == 6


@pytest.mark.parametrize("name", ["{}/img_{:03d}.png", "{}/{}.png", "{}/cell {}.png"])
def test_plain_numbers_are_not_taken_for_subjects(root, name):
    for number in range(12):
        put(root, name.format(CLASSES[number % 2], number), number)
    assert "pattern_proposed" not in Imported(root).odd


def test_a_pattern_that_fits_no_image_or_not_all_is_reported(root):
    two_classes(root)
    with pytest.raises(InputError, match=r"'P{subject}_\*' fits none of 4 images.*'blast/c1.png'"):
        Imported(root, pattern="P{subject}_*")
    put(root, "normal/P1_a.png")
    assert Imported(root, pattern="P{subject}_*").odd["pattern_unmatched"]["images"] == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((" p3\u00a0", "p3"), ("1.0", "1"), ("1.00", "1"), ("12.0", "12"), ("1.5", "1.5")),
        *(("1.2E+04", "12000"), ("1E+05", "100000"), ("1.23E+1", "1.23E+1"), ("12E4", "12E4")),
        *(("007", "007"), ("NA", "NA"), ("u\u0308", "ü"), ("", "")),
    ],
)
def test_values_are_read_without_what_spreadsheets_change(text, value):
    assert plain_value(text) == value


def test_subjects_that_are_nearly_equal_are_reported(root):
    subjects = ["1", "1.0", "p3", "P3", "NA", " p3"]
    rows = []
    for number in range(12):
        put(root, f"i/s{number}.png", number)
        rows.append(f"i/s{number}.png,{number % 2},{subjects[number // 2]}")
    settings = sheet(root, "\n".join(["path,label,subject", *rows]))
    imported = Imported(root, **settings)
    assert set(imported.manifest["subject"]) == {"1", "p3", "P3", "NA"}
    assert imported.odd["similar_subjects"] | {"code": ""} == {
        "code": "",
        "subjects": 2,
        "images": 6,
        "names": "'P3', 'p3'",
    }
    assert imported.odd["unknown_like_subjects"]["images"] == 2
    with pytest.raises(InputError, match=r"(?s)'P3', 'p3'.*'NA'"):
        Imported(root, **settings, suspicious="error")


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        *(("patient", "subject"), ("Patient ID", "subject"), ("PatientNr", "subject")),
        *(("case_id", "subject"), ("donor", "subject"), ("smear", "picture"), ("split", "part")),
    ],
)
def test_a_column_that_nobody_reads_proposes_the_one_that_is_meant(root, column, meant):
    two_classes(root)
    text = f"path,label,{column}\nnormal/c0.png,0,a\nblast/c1.png,1,b\n"
    with pytest.raises(InputError, match=rf"column '{column.lower()}' is not.*it to '{meant}"):
        Imported(root, **sheet(root, text))
    known = text.replace(f",{column}", f",{column},{meant}").replace(",a", ",a,s1")
    unread = Imported(root, **sheet(root, known)).odd["unread_columns"]
    assert column.lower() in unread["names"]


def test_a_column_of_another_name_that_repeats_as_subjects_do_is_reported(root):
    rows = []
    for number in range(12):
        put(root, f"c{number}.png", number)
        rows.append(f"c{number}.png,{number % 2},K{number // 3},fine")
    imported = Imported(root, **sheet(root, "\n".join(["path,label,code,remark", *rows])))
    assert imported.odd["subject_like_column"]["name"] == "code"
    assert imported.odd["unread_columns"]["names"] == "'code', 'remark'"


# Sheets


@pytest.mark.parametrize("column", ["id", "image_id", "Filename", "image"])
def test_a_sheet_may_name_files_by_id_without_ending_in_any_folder(root, column):
    for number in range(4):
        put(root, f"train images/c{number}.png", number)
    text = f"{column},label\nc0,0\nc1.png,1\n"
    imported = Imported(root, **sheet(root, text))
    assert imported.column("label") == {"train images/c0.png": "0", "train images/c1.png": "1"}
    assert imported.odd["unlisted_images"]["images"] == 2
    assert imported.files["ignored_by"] == {"unlisted": 2, "sheet": 1}
    put(root, "other/c0.bmp")
    with pytest.raises(InputError, match=r"'c0' fits 'other/c0.bmp' and 'train images/c0.png'"):
        Imported(root, **sheet(root, text))


def test_files_have_one_name_however_a_sheet_leads_to_them(root):
    two_classes(root, 6)
    (root / "link").symlink_to("normal")
    paths = [
        "./normal/c0.png",
        "blast//c1.png",
        str(root / "normal/c2.png"),
        "blast/../blast/c3.png",
    ]
    paths += ["link/c4.png", "blast\\c5.png"]
    rows = [f"{path},{number % 2}" for number, path in enumerate(paths)]
    imported = Imported(root, **sheet(root, "\n".join(["path,label", *rows])))
    assert imported.manifest["file"].tolist() == [
        f"{CLASSES[number % 2]}/c{number}.png" for number in range(6)
    ]
    assert imported.files["imported"] == 6
    assert imported.files["ignored_by"] == {"sheet": 1}


@pytest.mark.parametrize("path", ["../outside.png", "/outside.png", ".hidden/c.png"])
def test_files_whose_changes_nobody_would_see_are_refused(root, path):
    two_classes(root)
    put(root.parent, "outside.png")
    put(root, ".hidden/c.png")
    named = str(root.parent / "outside.png") if path.startswith("/") else path
    settings = sheet(root, f"path,label\nnormal/c0.png,0\n{named},1\n")
    with pytest.raises(InputError, match=r"row 3, column path: the file .* does not exist in"):
        Imported(root, **settings)


@pytest.mark.parametrize("key", ["sheet", "boxes"])
@pytest.mark.parametrize("place", ["..", ".hidden", "link"])
def test_a_sheet_whose_changes_nobody_would_see_is_refused(root, key, place):
    two_classes(root)
    (root / "inside").mkdir()
    (root / "link").symlink_to("inside")
    (root / ".hidden").mkdir()
    columns = {"sheet": "path,label\nnormal/c0.png,0\n", "boxes": "image,label,x,y,w,h\n"}
    (root / place / "list.csv").write_text(columns[key])
    with pytest.raises(InputError, match=rf"list.csv' \(key '{key}'\) is outside"):
        Imported(root, **{key: f"{place}/list.csv"})


@pytest.mark.parametrize("name", [b".a\xff.\xfe", b".git/\xff.\xfe"])
def test_names_of_ignored_files_need_not_be_text(root, name):
    two_classes(root)
    path = root / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert Imported(root).files["ignored_by"] == {"hidden": 1}


def test_a_folder_whose_images_are_all_left_out_names_the_rule(root):
    two_classes(root)
    (root / "notes.txt").write_text("x")
    with pytest.raises(
        InputError, match=r"ignored: 4 left out by the key ignore \('\*.png'\), 1 documents"
    ):
        Imported(root, ignore=["*.png"])


def test_a_path_that_is_too_long_for_the_system_is_an_error(root, monkeypatch):
    two_classes(root)
    monkeypatch.chdir(root / "normal")
    for _ in range(45):
        Path("x" * 100).mkdir()
        os.chdir("x" * 100)
    with pytest.raises(InputError, match="cannot be read \\(File name too long\\)"):
        Imported(root)


def test_unknown_labels_are_listed_with_their_rows(root):
    two_classes(root)
    text = "path,label\nnormal/c0.png,0\nblast/c1.png,mono\nnormal/c2.png,mono\nblast/c3.png,1.0\n"
    settings = sheet(root, text)
    with pytest.raises(InputError, match=r"row 3, column label: 'mono' is.*'mono' \(2 rows\)"):
        Imported(root, **settings)
    imported = Imported(root, **settings, ignore=["mono"])
    assert imported.column("label") == {"normal/c0.png": "0", "blast/c3.png": "1"}


def test_one_file_with_two_labels_names_both_rows(root):
    two_classes(root)
    rows = [f"{CLASSES[number % 2]}/c{number}.png,{number % 2},a{number}" for number in range(4)]
    rows.append("normal/c0.png,1,b0")
    settings = sheet(root, "\n".join(["path,label,image_id", *rows]))
    with pytest.raises(InputError, match=r"'normal/c0.png' in the rows 2 and 6\..*conflicts: rep"):
        Imported(root, **settings)
    assert len(Imported(root, **settings, conflicts="report").manifest) == 5


def test_equal_pixels_with_two_labels_are_found_in_other_encodings(root):
    two_classes(root)
    put(root, "blast/copy.bmp", 0)
    put(root, "normal/same.bmp", 2)
    with pytest.raises(InputError, match=r"1 images have.*blast/copy \(blast\) and normal/c0"):
        Imported(root)
    odd = Imported(root, conflicts="report").odd["conflicting_labels"]
    assert (odd["images"], odd["first"], odd["second"]) == (1, "blast/copy", "normal/c0")


def test_blank_images_are_reported_and_no_conflict(root):
    two_classes(root)
    for folder in CLASSES:
        put(root, f"{folder}/white.png", image=Image.new("RGB", (24, 24), "white"))
    imported = Imported(root)
    assert imported.odd["one_colour"]["images"] == 2
    assert "conflicting_labels" not in imported.odd


# Boxes

BOXES = [
    ("P1.jpg", "WBC", (10, 12, 40, 38)),
    ("P1.jpg", "RBC", (60, 20, 80, 50)),
    ("P2.jpg", "RBC", (0, 0, 11, 9)),
]
BOX_CLASSES = {"normal": ["rbc"], "blast": ["wbc"]}


def write_voc(root, boxes=BOXES, folder="Annotations"):
    (root / folder).mkdir()
    for photograph in dict.fromkeys(name for name, _, _ in boxes):
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>"
            f"<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
            for name, label, box in boxes
            if name == photograph
        )
        text = f"<annotation><filename>{photograph}</filename>{objects}</annotation>"
        (root / folder / f"{photograph[:-4]}.xml").write_text(text)
    return folder


def write_coco(root, boxes=BOXES):
    names = list(dict.fromkeys(name for name, _, _ in boxes))
    labels = list(dict.fromkeys(label for _, label, _ in boxes))
    content = {
        "images": [{"id": 7 + place, "file_name": name} for place, name in enumerate(names)],
        "categories": [{"id": 3 + place, "name": name} for place, name in enumerate(labels)],
        "annotations": [
            {
                "image_id": 7 + names.index(name),
                "category_id": 3 + labels.index(label),
                "bbox": [left, top, right - left, bottom - top],
            }
            for name, label, (left, top, right, bottom) in boxes
        ],
    }
    (root / "boxes.json").write_text(json.dumps(content))
    return "boxes.json"


def write_corners(root, boxes=BOXES):
    with (root / "boxes.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["filename", "cell_type", "xmin", "xmax", "ymin", "ymax"])
        for name, label, (left, top, right, bottom) in boxes:
            writer.writerow([name, label, left, right, top, bottom])
    return "boxes.csv"


def write_sizes(root, boxes=BOXES):
    lines = ["image;label;x;y;width;height"]
    for name, label, (left, top, right, bottom) in boxes:
        lines.append(f"{name};{label};{left};{top};{right - left};{bottom - top}")
    (root / "boxes.txt").write_text("\n".join(lines))
    return "boxes.txt"


def photographs(root):
    for number in (1, 2):
        put(root, f"photos/P{number}.jpg", number, image=cell(number, 100))


@pytest.mark.parametrize("write", [write_voc, write_coco, write_corners, write_sizes])
def test_boxes_become_crops_with_their_photograph_as_picture(root, write):
    photographs(root)
    settings = {"boxes": write(root), "classes": BOX_CLASSES, "crop": [20, 24]}
    imported = Imported(root, **settings, image_size=[20, 24])
    table = imported.manifest
    assert table["image_id"].tolist() == [
        *("photos/P1_box001", "photos/P1_box002", "photos/P2_box001"),
    ]
    assert table["class"].tolist() == ["blast", "normal", "normal"]
    assert table["picture"].tolist() == ["photos/P1", "photos/P1", "photos/P2"]
    assert table["photograph"].tolist() == ["photos/P1.jpg", "photos/P1.jpg", "photos/P2.jpg"]
    first, second = (np.asarray(Image.open(root / f"photos/P{n}.jpg")) for n in (1, 2))
    # Centres (25, 25), (70, 35) and (5.5, 4.5); the last box is moved inwards.
    crops = [first[15:35, 13:37], first[25:45, 58:82], second[0:20, 0:24]]
    np.testing.assert_array_less(np.abs(imported.images.astype(int) - np.array(crops)), 3)
    assert imported.files["found"] == imported.files["imported"] + imported.files["ignored"]
    assert imported.files["ignored_by"] == {"boxes": 2 if write is write_voc else 1}
    assert imported.odd["box_larger"]["images"] == 2


def test_boxes_without_a_crop_give_the_boxes_themselves(root):
    photographs(root)
    imported = Imported(root, boxes=write_voc(root), classes=BOX_CLASSES, image_size=[26, 30])
    photograph = np.asarray(Image.open(root / "photos/P1.jpg")).astype(int)
    assert np.abs(imported.images[0] - photograph[12:38, 10:40]).max() < 3


def test_labels_of_boxes_are_classes_or_ignored(root):
    photographs(root)
    boxes = [*BOXES, ("P2.jpg", "Platelets", (5, 5, 20, 20))]
    settings = {"boxes": write_coco(root, boxes), "classes": BOX_CLASSES, "crop": [10, 10]}
    with pytest.raises(InputError, match=r"(?s)1 boxes.*\n  Platelets: 1 boxes\n.*'ignore'"):
        Imported(root, **settings)
    assert len(Imported(root, **settings, ignore=["Platelets"]).manifest) == 3


def test_boxes_that_cannot_be_used_have_a_reason(root):
    photographs(root)
    put(root, "photos/P3.jpg", 3)
    wrong = [
        *(("P1.jpg", "RBC", (5, 5, 5, 9)), ("P1.jpg", "RBC", ("nan", 1, 9, 9))),
        *(("P1.jpg", "RBC", (1, 1, "1e30", 9)), ("P1.jpg", "RBC", (300, 300, 330, 330))),
        ("gone.jpg", "RBC", (5, 5, 20, 20)),
    ]
    folder = write_voc(root, [*BOXES, *wrong])
    (root / folder / "broken.xml").write_text("<annotation><object>")
    (root / folder / "short.xml").write_text(
        "<annotation><object><name>RBC</name><bndbox><xmin>1</xmin></bndbox></object></annotation>"
    )
    imported = Imported(root, boxes=folder, classes=BOX_CLASSES, crop=[10, 10])
    assert len(imported.manifest) == 3
    reasons = " | ".join(sorted(imported.rejected["reason"]))
    for text in (
        *("is empty", "no usable numbers", "outside the picture", "gone.xml', object 1 is missing"),
        *("the boxes cannot be read: no element", "object 1 has no complete bndbox"),
    ):
        assert text in reasons
    assert str(root) not in reasons
    assert imported.files["ignored_by"] == {"boxes": 3, "without_box": 1}
    assert imported.files["missing"] == 1
    assert imported.files["rejected"] == 2


def test_one_place_with_two_labels_is_an_error(root):
    photographs(root)
    boxes = [*BOXES, ("P2.jpg", "WBC", (0, 0, 11, 9))]
    settings = {"boxes": write_corners(root, boxes), "classes": BOX_CLASSES, "crop": [10, 10]}
    with pytest.raises(InputError, match=r"photos/P2_box001 and photos/P2_box002"):
        Imported(root, **settings)
    assert len(Imported(root, **settings, conflicts="report").manifest) == 4


def coco_text(bbox=(1, 2, 3, 4), file_name="P1.jpg", name="RBC"):
    """A COCO file with one box."""
    content = {
        "images": [{"id": 0, "file_name": file_name}],
        "categories": [{"id": 0, "name": name}],
        "annotations": [{"image_id": 0, "category_id": 0, "bbox": list(bbox)}],
    }
    return json.dumps(content)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none", None, r"none' does not exist \(key 'boxes'\)"),
        ("a.json", "[]", r"a.json' is no COCO file \(TypeError"),
        ("a.json", "{", r"a.json' is no COCO file"),
        ("a.json", "[" * 100_000, r"a.json' is no COCO file \(RecursionError"),
        ("a.csv", "image,label,x,y\n", r"lacks columns.*width: width, w"),
        ("a.csv", "image,label,x,y,w,h\nP1.jpg,RBC,1,2,3,x\n", r"row 2: .*expected numbers"),
        ("a.csv", "image,label,x,y,w,h\nP1.jpg,RBC\n", r"row 2: .*expected numbers"),
        ("photos", None, r"photos' has no XML file"),
        ("a.csv", "image,label,x,y,w,h\n", r"a.csv' has no box"),
        ("a.json", coco_text(bbox=[10**400, 1, 2, 2]), r"a.json' is no COCO file \(OverflowError"),
        ("a.json", coco_text(file_name="\ud800"), r"a.json' is no COCO file \(UnicodeEncodeError"),
        ("a.json", coco_text(name="\ud800"), r"a.json' is no COCO file \(UnicodeEncodeError"),
        (
            "a.json",
            coco_text(file_name="/etc/hostname"),
            r"not be used.*/etc/hostname.* is missing",
        ),
    ],
)
def test_faulty_boxes_are_explained(root, name, text, message):
    photographs(root)
    if text is not None:
        (root / name).write_text(text)
    with pytest.raises(InputError, match=message):
        Imported(root, boxes=name, classes=BOX_CLASSES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<?xml version="1.0" encoding="x"?><annotation/>', "unknown encoding: x"),
        ("<a>" * 100_000, "no element found"),
        (
            '<!DOCTYPE a [<!ENTITY e0 "xxxxxxxxxx">'
            + "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
            + "]><a>&e12;</a>",
            "limit on input amplification",
        ),
        ('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>', "undefined entity"),
    ],
)
def test_xml_that_no_reader_should_follow_is_rejected_with_its_reason(root, text, reason):
    photographs(root)
    folder = write_voc(root)
    (root / folder / "P3.xml").write_text(text)
    imported = Imported(root, boxes=folder, classes=BOX_CLASSES, crop=[10, 10])
    assert len(imported.manifest) == 3
    assert imported.rejected["file"].tolist() == [f"{folder}/P3.xml"]
    assert reason in imported.rejected["reason"][0]
    (root / folder / "P1.xml").write_text(text)
    (root / folder / "P2.xml").unlink()
    with pytest.raises(InputError, match=rf"2 files or images cannot be used.*{reason}"):
        Imported(root, boxes=folder, classes=BOX_CLASSES, crop=[10, 10])


# The account


def random_folder(root, draw):
    """Write files of every kind at random places; return nothing about them."""
    folders = [
        "normal",
        "blast",
        "normal/p 1",
        "blast/p 2/deep",
        "@eaDir/x",
        ".hidden",
        "normal/.y",
    ]
    for number in range(draw.randint(20, 60)):
        folder = root / draw.choice(folders)
        folder.mkdir(parents=True, exist_ok=True)
        ending = draw.choice(["png", "PNG", "jpg", "tif", "txt", "csv", "db", "webp", "", "bmp"])
        path = folder / f"{draw.choice(['', '.', 'x y '])}{number}{'.' if ending else ''}{ending}"
        kind = draw.random()
        if kind < 0.6:
            cell(number).save(path, draw.choice(["PNG", "JPEG", "BMP", "TIFF"]))
        elif kind < 0.8:
            path.write_bytes(draw.randbytes(draw.randint(0, 40)))
        else:
            path.write_text("word")


@pytest.mark.parametrize("seed", range(12))
def test_imported_rejected_and_ignored_files_are_all_files(root, seed):
    draw = random.Random(seed)
    for number, folder in enumerate(CLASSES):
        put(root, f"{folder}/sure.png", 1000 + number)
    random_folder(root, draw)
    settings = {"ignore": ["*.PNG"], "conflicts": "report"} if seed % 2 else {}
    imported = Imported(root, **settings)
    files = imported.files
    assert files["found"] == files_on_disk(root)
    assert files["found"] == files["imported"] + files["rejected"] + files["ignored"]
    assert files["imported"] == imported.manifest["file"].nunique()
    assert files["rejected"] == imported.rejected["file"].nunique()
    assert sum(files["rejected_by"].values()) == files["rejected"]
    assert sum(files["ignored_by"].values()) == files["ignored"]
    assert sum(files["endings"].values()) == files["found"]
    assert {rule.partition(":")[0] for rule in files["ignored_by"]} <= RULES.keys() - {"other_part"}


def test_one_line_has_the_account_and_warnings_have_what_is_odd(root, caplog):
    two_classes(root)
    (root / "normal" / "bad.png").write_bytes(b"")
    (root / ".hidden").write_text("x")
    with caplog.at_level(logging.INFO):
        Imported(root, ignore=["*.gif"])
    lines = [record.getMessage() for record in caplog.records]
    assert lines[-1] == (
        "case: 6 files found = 4 imported + 1 rejected (1 the file is empty) + 1 ignored "
        "(1 hidden file); 4 images (2 normal, 2 blast); no subjects; no pictures"
    )
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "case: no file fits '*.gif' of the key ignore" in warnings


def test_a_run_ends_with_the_account_of_every_import(root):
    two_classes(root)
    imported = Imported(root)
    results = root.parent / "results"
    for name in ("cells", "grown"):
        (results / "datasets" / name).mkdir(parents=True)
    summary = imported.summary
    (results / "datasets" / "cells" / "dataset.json").write_text(json.dumps(summary))
    derived = json.dumps({**summary, "files": None})
    (results / "datasets" / "grown" / "dataset.json").write_text(derived)
    lines = describe_imports(results, ["cells", "grown", "absent"])
    assert len(lines) == 1
    assert lines[0].startswith("cells: 4 files found = 4 imported + 0 rejected + 0 ignored; 4 im")
    path = results / "datasets" / "cells" / "dataset.json"
    look = "cells, look at this: 3 images in the folder are not in the sheet"
    for form, expected in (("folder", [look]), ("demo", [])):
        odd = [{"code": "unlisted_images", "images": 3}]
        path.write_text(json.dumps({**summary, "odd": odd, "format": form}))
        assert describe_imports(results, ["cells"])[1:] == expected
        assert len(describe_imports(results, ["cells"], doubts=False)) == 1


def test_other_formats_account_for_their_files_too(root):
    for number, name in enumerate(["all/UID_1_1_1_all.png", "hem/UID_H1_1_1_hem.png", "../1.png"]):
        put(root, f"fold_0/{name}" if number < 2 else "final/1.png", number)
    files = Imported(root, format="c-nmc-2019").files
    assert (files["found"], files["imported"]) == (3, 2)
    assert files["ignored_by"] == {"other_part": 1}


def test_reasons_are_counted_by_their_kind():
    reasons = ["truncated BMP file: 30 of 90 bytes", "truncated BMP file: 7 of 9 bytes"]
    assert {reason_kind(reason) for reason in reasons} == {"truncated BMP file"}
    assert reason_kind("16-bit image whose largest value is 7") == (
        "16-bit image whose largest value is #"
    )
    assert reason_kind("the image of 8 x 9 pixels (height x width) is smaller than") == (
        "the image of # x # pixels is smaller than"
    )


def test_every_code_has_a_sentence_that_can_be_filled():
    for text in (*ODD.values(), *RULES.values()):
        assert not text.endswith(".")


# Real images


def by_name(table):
    """The rows of a manifest by the name of the file, without its folder, in one order."""
    columns = ["subject", "picture", "label", "class", "sha256", "width", "height"]
    names = table["file"].str.rsplit("/", n=1).str[-1]
    return table.assign(name=names).set_index("name")[columns].sort_index()


def test_c_nmc_in_other_folders_gives_the_same_by_pattern(tmp_path, test_data):
    source = test_data / "cnmc2019_sample"
    for original, folder in {"hem": "healthy", "all": "leukemia"}.items():
        (tmp_path / "raw" / folder).mkdir(parents=True)
        for path in (source / "fold_1" / original).iterdir():
            (tmp_path / "raw" / folder / path.name).symlink_to(path)
    (tmp_path / "official").symlink_to(source)
    ours = Imported(tmp_path / "raw", pattern="UID_{subject}_{picture}_*")
    official = Imported(tmp_path / "official", format="c-nmc-2019")
    pd.testing.assert_frame_equal(by_name(ours.manifest), by_name(official.manifest))
    orders = [
        one.manifest["file"].str.rsplit("/", n=1).str[-1].argsort() for one in (ours, official)
    ]
    np.testing.assert_array_equal(ours.images[orders[0]], official.images[orders[1]])
    counts = ("images", "class_images", "subjects", "pictures")
    assert [ours.summary[key] for key in counts] == [official.summary[key] for key in counts]
    # SOURCES.md of the sample: 11 subjects with 53 blasts each, three with 200 normal cells each.
    assert ours.manifest["subject"].value_counts().to_dict() == {
        **dict.fromkeys(("H10", "H14", "H22"), 200),
        **dict.fromkeys(set(ours.manifest.query("label == '1'")["subject"]), 53),
    }
    assert (ours.summary["subjects"], ours.files["imported"]) == (14, 1183)
    proposed = list_files("folder", tmp_path / "raw", {}).odd
    assert [(odd["code"], odd["pattern"]) for odd in proposed] == [
        ("names_with_subjects", "UID_{subject}_{picture}_*")
    ]


def boxes_of(folder):
    """White and red cells of VOC files, read as text: photograph, label and corners."""
    corners = "".join(rf"\s*<{name}>(\d+)</{name}>" for name in ("xmin", "ymin", "xmax", "ymax"))
    found = []
    for path in sorted(folder.glob("*.xml")):
        for part in path.read_text().split("<object>")[1:]:
            label = re.search("<name>(.*?)</name>", part)[1]
            box = tuple(map(int, re.search(corners, part).groups()))
            if label in ("WBC", "RBC"):
                found.append((f"{path.stem}.jpg", label, box))
    return found


def test_bccd_gives_white_and_red_cells_of_their_photographs(tmp_path, test_data):
    source = test_data / "bccd_sample"
    boxes = boxes_of(source / "Annotations")
    (tmp_path / "raw").mkdir()
    for name in ("Annotations", "JPEGImages"):
        (tmp_path / "raw" / name).symlink_to(source / name)
    settings = {"crop": [100, 100], "ignore": ["Platelets"], "classes": BOX_CLASSES}
    imported = Imported(tmp_path / "raw", boxes="Annotations", **settings)
    usable = [box for box in boxes if box[2][0] < box[2][2] and box[2][1] < box[2][3]]
    expected = Counter((f"JPEGImages/{name}", label) for name, label, _ in usable)
    classes = {"blast": "WBC", "normal": "RBC"}
    table = imported.manifest
    assert expected == Counter(zip(table["file"], table["class"].map(classes), strict=True))
    # One red cell has a box without a width.
    assert imported.rejected["reason"].str.contains("is empty").tolist() == [True]
    assert len(boxes) == len(usable) + 1
    assert (table["picture"] == table["file"].str.removesuffix(".jpg")).all()
    assert imported.summary["pictures"] == imported.files["imported"] == 60
    for write in (write_coco, write_corners):
        other = Imported(tmp_path / "raw", boxes=write(tmp_path / "raw", boxes), **settings)
        pd.testing.assert_frame_equal(other.manifest, table)
        np.testing.assert_array_equal(other.images, imported.images)
