import csv
import gzip
import os
import unicodedata
from pathlib import Path

import h5py
import numpy as np
import pytest

from blastfold.core.errors import InputError
from blastfold.datasets.formats import FORMATS, list_records
from blastfold.datasets.formats.all_idb import read_centroids


def touch(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def by_id(records):
    return records.set_index("image_id").to_dict("index")


PRELIMINARY_CSV = "C-NMC_test_prelim_phase_data_labels.csv"


def official_c_nmc(root):
    touch(
        root,
        "C-NMC_training_data/fold_0/all/UID_11_1_1_all.bmp",
        "C-NMC_training_data/fold_0/hem/UID_H6_3_2_hem.bmp",
        "C-NMC_training_data/fold_1/all/UID_12_7_1_all.bmp",
        "C-NMC_training_data/fold_2/hem/UID_h3_12_4_hem.bmp",
        "C-NMC_training_data/fold_2/hem/UID_H3_12_5_hem.bmp",
        "C-NMC_test_prelim_phase_data/C-NMC_test_prelim_phase_data/1.bmp",
        "C-NMC_test_prelim_phase_data/C-NMC_test_prelim_phase_data/2.bmp",
        "C-NMC_test_final_phase_data/1.bmp",
        ".DS_Store",
    )
    write(
        root / "C-NMC_test_prelim_phase_data" / PRELIMINARY_CSV,
        "Patient_ID,new_names,labels\nUID_57_29_1_all.bmp,1.bmp,1\nUID_H49_35_1_hem.bmp,2.bmp,0\n",
    )


def test_c_nmc_official_layout_gives_subjects_pictures_and_parts(tmp_path):
    official_c_nmc(tmp_path)
    records = list_records("c-nmc-2019", tmp_path, {})
    rows = by_id(records)
    assert len(rows) == 7
    assert rows["UID_11_1_1_all"] == {
        "file": "C-NMC_training_data/fold_0/all/UID_11_1_1_all.bmp",
        "class": "blast",
        "subject": "11",
        "picture": "11_1",
        "parent": "",
        "part": "fold_0",
        "label": 1,
        "problem": "",
    }
    assert rows["UID_h3_12_4_hem"]["subject"] == rows["UID_H3_12_5_hem"]["subject"] == "H3"
    assert rows["UID_h3_12_4_hem"]["picture"] == rows["UID_H3_12_5_hem"]["picture"] == "H3_12"
    first = rows["UID_57_29_1_all"]
    assert (first["part"], first["label"], first["subject"]) == ("preliminary", 1, "57")
    assert first["file"].endswith("C-NMC_test_prelim_phase_data/1.bmp")
    assert rows["UID_H49_35_1_hem"]["label"] == 0


def test_c_nmc_parts_can_be_chosen(tmp_path):
    official_c_nmc(tmp_path)
    records = list_records("c-nmc-2019", tmp_path, {"parts": ["fold_0", "preliminary"]})
    assert sorted(records["part"].unique()) == ["fold_0", "preliminary"]
    with pytest.raises(InputError, match=r"'parts'.*fold_9.*fold_0, fold_1"):
        list_records("c-nmc-2019", tmp_path, {"parts": ["fold_9"]})


def test_c_nmc_path_may_be_one_fold_and_files_may_be_png(tmp_path):
    touch(tmp_path, "x/fold_1/ALL/UID_1_1_1_all.PNG", "x/fold_1/HEM/UID_H1_1_1_hem.tiff")
    records = list_records("c-nmc-2019", tmp_path / "x" / "fold_1", {})
    assert records[["file", "part"]].to_numpy().tolist() == [
        ["ALL/UID_1_1_1_all.PNG", "fold_1"],
        ["HEM/UID_H1_1_1_hem.tiff", "fold_1"],
    ]


def test_c_nmc_doubtful_files_are_marked_and_not_taken(tmp_path):
    official_c_nmc(tmp_path)
    touch(
        tmp_path,
        "C-NMC_training_data/fold_0/all/copy.bmp",
        "C-NMC_training_data/fold_0/all/UID_H9_1_1_hem.bmp",
        "C-NMC_test_prelim_phase_data/C-NMC_test_prelim_phase_data/3.bmp",
    )
    with (tmp_path / "C-NMC_test_prelim_phase_data" / PRELIMINARY_CSV).open("a") as stream:
        stream.write("UID_58_1_1_all.bmp,4.bmp,1\n")
    records = list_records("c-nmc-2019", tmp_path, {})
    problems = records[records["problem"] != ""].set_index("file")["problem"]
    assert sorted(Path(file).name for file in problems.index) == [
        "3.bmp",
        "4.bmp",
        "UID_H9_1_1_hem.bmp",
        "copy.bmp",
    ]
    assert "says 'hem', its folder or label 'all'" in problems.filter(like="UID_H9").iloc[0]
    assert "the file is missing" in problems["4.bmp"]


def test_c_nmc_labels_that_are_no_labels_name_line_and_column(tmp_path):
    official_c_nmc(tmp_path)
    sheet = tmp_path / "C-NMC_test_prelim_phase_data" / PRELIMINARY_CSV
    write(sheet, "Patient_ID,new_names,labels\nUID_57_29_1_all.bmp,1.bmp,ALL\n")
    with pytest.raises(InputError, match=r"labels.csv', line 2, column labels: 'ALL'; expected 1"):
        list_records("c-nmc-2019", tmp_path, {})
    write(sheet, "Patient_ID,new_names\na,1.bmp\n")
    with pytest.raises(InputError, match=r"lacks the column labels"):
        list_records("c-nmc-2019", tmp_path, {})


def test_all_idb2_reads_the_label_after_the_underscore(tmp_path):
    touch(
        tmp_path,
        "ALL_IDB2/img/Im001_1.tif",
        "ALL_IDB2/img/Im131_0.tif",
        "ALL_IDB2/img/Im132.tif",
        "ALL_IDB1/im/Im001_1.jpg",
    )
    rows = by_id(list_records("all-idb2", tmp_path, {}))
    assert {name: row["label"] for name, row in rows.items() if not row["problem"]} == {
        "Im001_1": 1,
        "Im131_0": 0,
    }
    assert "Im132" in rows["Im132"]["problem"]


def all_idb1(root):
    touch(root, "im/Im001_1.jpg", "im/Im002_1.jpg", "im/Im034_0.jpg", "im/Im035_0.jpg")
    write(root / "xyc/Im001_1.xyc", "446\t164\n168\t442\n")
    write(root / "xyc/Im034_0.xyc", "\n")
    write(root / "xyc/Im035_0.xyc", "300 200\n")


def test_all_idb1_gives_a_box_round_every_centroid(tmp_path):
    all_idb1(tmp_path)
    records = list_records("all-idb1", tmp_path, {"crop": [100, 60]})
    boxes = records.set_index("image_id").filter(like="crop_").to_numpy().tolist()
    assert dict(zip(records["image_id"], boxes, strict=True)) == {
        "Im001_1_cell01": [416, 114, 60, 100],
        "Im001_1_cell02": [138, 392, 60, 100],
        "Im002_1": [-1, -1, -1, -1],
        "Im034_0": [-1, -1, -1, -1],
        "Im035_0_cell01": [270, 150, 60, 100],
    }
    rows = by_id(records)
    assert rows["Im002_1"]["problem"] == "no centroid: Im002_1.xyc"
    assert rows["Im034_0"]["problem"] == ""
    assert rows["Im001_1_cell02"]["picture"] == "Im001_1"
    assert rows["Im035_0_cell01"]["label"] == 0


def test_all_idb1_without_crop_gives_whole_pictures(tmp_path):
    all_idb1(tmp_path)
    records = list_records("all-idb1", tmp_path, {"crop": None})
    assert records["image_id"].tolist() == ["Im001_1", "Im002_1", "Im034_0", "Im035_0"]
    assert (records["crop_width"] == -1).all()


@pytest.mark.parametrize("text", ["12 x", "12 13 14", "1e999 2"])
def test_centroids_that_are_no_pairs_name_the_file(tmp_path, text):
    write(tmp_path / "Im001_1.xyc", text)
    with pytest.raises(InputError, match=r"Im001_1.xyc.*expected pairs"):
        read_centroids(tmp_path / "Im001_1.xyc")


@pytest.mark.parametrize("number", ["1e30", "-2000000", "1e8"])
def test_centroids_far_from_any_photograph_name_the_file(tmp_path, number):
    write(tmp_path / "Im001_1.xyc", f"12 13\n40 {number}\n")
    with pytest.raises(InputError, match=r"Im001_1.xyc.*expected pixels of the photograph"):
        read_centroids(tmp_path / "Im001_1.xyc")


def pcam(root, part="train", labels=(0, 1, 1), patches=None):
    name = f"camelyonpatch_level_2_split_{part}"
    with h5py.File(root / f"{name}_x.h5", "w") as stream:
        stream["x"] = np.zeros((len(labels), 96, 96, 3), np.uint8) if patches is None else patches
    with h5py.File(root / f"{name}_y.h5", "w") as stream:
        stream["y"] = np.array(labels, np.uint8).reshape(-1, 1, 1, 1)


def test_pcam_lists_rows_parts_and_slides(tmp_path):
    pcam(tmp_path)
    pcam(tmp_path, "test", labels=(1, 0))
    write(
        tmp_path / "camelyonpatch_level_2_split_test_meta.csv",
        ",coord_y,coord_x,tumor_patch,center_tumor_patch,wsi\n"
        "0,5,6,True,True,camelyon16_test_001\n1,7,8,False,False,camelyon16_test_002\n",
    )
    records = list_records("pcam", tmp_path, {})
    assert records["row"].tolist() == [0, 1, 2, 0, 1]
    assert records["label"].tolist() == [0, 1, 1, 1, 0]
    assert records["part"].tolist() == ["train"] * 3 + ["test"] * 2
    assert records["picture"].tolist() == ["", "", "", "camelyon16_test_001", "camelyon16_test_002"]
    assert records["image_id"].iloc[-1] == "test-000001"


def test_pcam_files_that_are_not_as_published_are_named(tmp_path):
    pcam(tmp_path)
    labels = tmp_path / "camelyonpatch_level_2_split_train_y.h5"
    packed = tmp_path / f"{labels.name}.gz"
    packed.write_bytes(gzip.compress(labels.read_bytes()))
    labels.unlink()
    with pytest.raises(InputError, match=r"train_y.h5.gz' is compressed; unpack it with gunzip"):
        list_records("pcam", tmp_path, {})
    packed.unlink()
    with pytest.raises(InputError, match=r"lacks camelyonpatch_level_2_split_train_y.h5"):
        list_records("pcam", tmp_path, {})
    pcam(tmp_path, labels=(0, 2))
    with pytest.raises(InputError, match=r"labels \[0 2\]; expected 0 and 1"):
        list_records("pcam", tmp_path, {})
    pcam(tmp_path, labels=(0, 1), patches=np.zeros((3, 96, 96, 3), np.uint8))
    with pytest.raises(InputError, match="3 patches, but there are 2 labels"):
        list_records("pcam", tmp_path, {})
    pcam(tmp_path, labels=(0, 1), patches=np.zeros((2, 96, 96), np.float32))
    with pytest.raises(InputError, match="float32 of shape"):
        list_records("pcam", tmp_path, {})
    truncated = tmp_path / "camelyonpatch_level_2_split_train_x.h5"
    truncated.write_bytes(truncated.read_bytes()[:900])
    with pytest.raises(InputError, match=r"train_x.h5' cannot be opened as HDF5"):
        list_records("pcam", tmp_path, {})


def test_class_folders_give_labels_and_deeper_folders_are_read(tmp_path):
    touch(tmp_path, "site A/Healthy/1.png", "site A/ALL/more/2.jpg", "ALL/3.tif", "sketch.png")
    rows = by_id(list_records("folder", tmp_path, {}))
    assert {name: (row["label"], row["class"]) for name, row in rows.items()} == {
        "site A/Healthy/1": (0, "normal"),
        "site A/ALL/more/2": (1, "blast"),
        "ALL/3": (1, "blast"),
        "sketch": (0, "normal"),
    }
    assert rows["sketch"]["problem"] == "is not in a class folder"


def test_own_class_names_replace_the_usual_ones(tmp_path):
    touch(tmp_path, "L1/a.png", "L2/b.png", "lymphocyte/c.png")
    classes = {"normal": ["lymphocyte"], "blast": ["L1", "l2"]}
    assert list_records("folder", tmp_path, {"classes": classes})["label"].tolist() == [1, 1, 0]
    with pytest.raises(InputError, match=r"(?s)3 images .*  L2: 1 image\n.*blast: 1,"):
        list_records("folder", tmp_path, {})
    with pytest.raises(InputError, match=r"'classes': 'L1' is listed under both"):
        list_records("folder", tmp_path, {"classes": {"normal": ["l1"], "blast": ["L1"]}})


@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_sheet_with_difficult_names(tmp_path, delimiter):
    names = ["two words.png", 'it\'s "so".png', "größe, 細胞;1.png", "tab\there.png", " edge .png"]
    touch(tmp_path, *names)
    with (tmp_path / "sheet.txt").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(["Path", "remark", "LABEL", "subject", "parent"])
        writer.writerows([name, "x", " Blast ", "S1", "p"] for name in names[:3])
        writer.writerows([name, "", "0", "S2"] for name in names[3:])
        writer.writerow(["", "", ""])
    records = list_records("folder", tmp_path, {"sheet": "sheet.txt"})
    assert records["file"].tolist() == names
    assert records["label"].tolist() == [1, 1, 1, 0, 0]
    assert records["subject"].tolist() == ["S1"] * 3 + ["S2"] * 2
    assert records["parent"].tolist() == ["p"] * 3 + [""] * 2
    assert records["image_id"].tolist() == [name[:-4] for name in names]


def test_sheet_names_masks_and_photographs(tmp_path):
    touch(tmp_path, "a.png", "b.png", "masks/a.png", "smear 1.jpg")
    write(
        tmp_path / "sheet.tsv",
        "path\tlabel\tmask\tphotograph\na.png\t1\tmasks\\a.png\tsmear 1.jpg\nb.png\t0\t\t\n",
    )
    records = list_records("folder", tmp_path, {"sheet": "sheet.tsv"})
    assert records["mask"].tolist() == ["masks/a.png", ""]
    assert records["photograph"].tolist() == ["smear 1.jpg", ""]
    write(tmp_path / "sheet.tsv", "path\tlabel\tmask\na.png\t1\tc.png\nb.png\t0\t\n")
    with pytest.raises(InputError, match=r"row 2, column mask: the file 'c\.png' does not exist"):
        list_records("folder", tmp_path, {"sheet": "sheet.tsv"})


def test_sheet_paths_with_backslashes_and_other_accents_are_found(tmp_path):
    name = unicodedata.normalize("NFD", "cells/größe.png")
    touch(tmp_path, name, "cells/a.png")
    sheet = unicodedata.normalize("NFC", "path\tlabel\ncells\\größe.png\t1\ncells\\a.png\t0\n")
    write(tmp_path / "sheet.tsv", sheet)
    records = list_records("folder", tmp_path, {"sheet": "sheet.tsv"})
    assert records["file"].tolist() == [name, "cells/a.png"]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"\r', "SEP=|"])
def test_the_first_line_of_excel_is_no_row(tmp_path, first):
    touch(tmp_path, "a,1.png", "b.png")
    mark = first.rstrip('"\r')[-1]
    write(tmp_path / "sheet.csv", f"{first}\npath{mark}label\na,1.png{mark}1\nb.png{mark}0\n")
    records = list_records("folder", tmp_path, {"sheet": "sheet.csv"})
    assert records["label"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\tclass\na.png\t1\n", r"cells.tsv': the column 'label' is missing.*'path', 'class'"),
        ("name\tlabel\na.png\t1\n", r"the column 'path' is missing"),
        ("path\tlabel\tlabel\na.png\t1\t0\n", r"the column 'label' is there twice"),
        ("path\tlabel\tsubject\tSubject\na.png\t1\t0\t1\n", r"the column 'subject' is there twi"),
        ("", r"the column 'path' is missing"),
        ("path\tlabel\na.png\t1\nb.png\t\n", r"row 3, column label: empty; expected normal: 0"),
        ("path\tlabel\na.png\t2\n", r"row 2, column label: '2' is unknown; expected normal: 0, n"),
        ("path\tlabel\na.png\tBlasts\n", r"Did you mean 'blast'\? All unknown .* \(1 row\)"),
        ("path\tlabel\nc.png\t1\n", r"row 2, column path: the file 'c.png' does not exist"),
        ("path\tlabel\n\t1\n", r"row 2, column path: the file '' does not exist"),
        ("path\tlabel\na.png\t1\tx\n", r"row 2: 3 cells for 2 columns"),
        ('path\tlabel\n"a.png\t1\n', r"cannot be read as a table"),
        ("path\tlabel\na.png\t1\na.png\t1\n", r"the image_id 'a': 'a.png' and 'a.png'"),
        (
            "path\tlabel\na.png\t1\na.png\t0\n",
            r"1 files have two labels: 'a.png' in the rows 2 and",
        ),
        (
            "path\tlabel\na.png\t1\nb.png\t1\n",
            r"no image of the class 'normal' was found",
        ),
        ("path\tlabel\n", r"No image of format 'demo' was found"),
    ],
)
def test_faulty_sheets_are_explained(tmp_path, text, message):
    touch(tmp_path, "a.png", "b.png")
    write(tmp_path / "cells.tsv", text)
    with pytest.raises(InputError, match=message):
        list_records("demo", tmp_path, {})


def test_a_sheet_that_is_no_text_or_missing_is_explained(tmp_path):
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(InputError, match=r"book.xlsx' cannot be read as UTF-8 text"):
        list_records("folder", tmp_path, {"sheet": "book.xlsx"})
    with pytest.raises(InputError, match=r"none.tsv' does not exist \(key 'sheet'\)"):
        list_records("folder", tmp_path, {"sheet": "none.tsv"})


def test_one_file_may_be_listed_twice_under_two_ids(tmp_path):
    touch(tmp_path, "a.png")
    write(tmp_path / "cells.tsv", "image_id\tpath\tlabel\nfirst\ta.png\t0\nsecond\ta.png\t1\n")
    records = list_records("demo", tmp_path, {"conflicts": "report"})
    assert records["image_id"].tolist() == ["first", "second"]
    assert records["file"].tolist() == ["a.png", "a.png"]


@pytest.mark.parametrize("format_name", sorted(FORMATS))
def test_missing_and_empty_folders_name_the_folder_and_the_manual(tmp_path, format_name):
    with pytest.raises(InputError, match=r"raw/none' does not exist.*resources/README.md"):
        list_records(format_name, tmp_path / "raw" / "none", {})
    touch(tmp_path, "file")
    with pytest.raises(InputError, match="is a file"):
        list_records(format_name, tmp_path / "file", {})
    if format_name != "demo":
        with pytest.raises(InputError, match=f"No image of format '{format_name}' was found in"):
            list_records(format_name, tmp_path, {})


def test_an_unknown_format_lists_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"'c-nmc'; expected one of all-idb1, .*pcam"):
        list_records("c-nmc", tmp_path, {})


def test_one_image_id_in_two_folders_names_both_files(tmp_path):
    touch(tmp_path, "fold_0/all/UID_1_1_1_all.bmp", "old/fold_0/all/UID_1_1_1_all.bmp")
    message = r"'UID_1_1_1_all': 'fold_0/all/UID_1_1_1_all.bmp' and 'old/fold_0/all/UID_1"
    with pytest.raises(InputError, match=message):
        list_records("c-nmc-2019", tmp_path, {})


def test_links_are_followed_and_circles_end(tmp_path):
    touch(tmp_path, "elsewhere/fold_0/all/UID_1_1_1_all.bmp", "data/fold_1/hem/UID_H1_1_1_hem.bmp")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "data")
    (tmp_path / "raw").symlink_to(tmp_path / "data")
    records = list_records("c-nmc-2019", tmp_path / "raw", {})
    assert records["file"].tolist() == [
        "fold_1/hem/UID_H1_1_1_hem.bmp",
        "link/fold_0/all/UID_1_1_1_all.bmp",
    ]


def test_a_file_name_that_is_not_utf_8_is_named(tmp_path):
    touch(tmp_path, "normal/a.png")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/normal/caf\xe9.png")).write_bytes(b"")
    with pytest.raises(InputError, match=r"caf\\udce9.png' in .* is not UTF-8"):
        list_records("folder", tmp_path, {})


def test_the_real_c_nmc_sample_has_its_subjects(test_data):
    records = list_records("c-nmc-2019", test_data / "cnmc2019_sample", {})
    per_subject = records.groupby("subject").size().to_dict()
    assert (records["label"] == 1).sum() == 583
    assert {name: per_subject.pop(name) for name in ("H10", "H14", "H22")} == {
        "H10": 200,
        "H14": 200,
        "H22": 200,
    }
    assert per_subject == dict.fromkeys(
        ["16", "2", "23", "30", "32", "33", "34", "38", "44", "46", "51"], 53
    )
