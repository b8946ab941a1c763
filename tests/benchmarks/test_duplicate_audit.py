"""Duplicate audit on real cells with planted copies: recall, false pairs and time.

Needs BLASTFOLD_TEST_DATA, a folder with `cnmc2019_sample` (C-NMC 2019, 450x450) and `bccd_sample`
(smear photographs with boxes). Copies are made from the full-size originals and shrunk after that,
as a data set with hidden duplicates would be. Run with `-s` to see the measured figures.
"""

import os
import time
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from support.schema_defaults import defaults_of

from blastfold.leakage.duplicates import DuplicateSettings, find_duplicates

DEFAULTS = DuplicateSettings(**defaults_of("duplicates"))
DATA = os.environ.get("BLASTFOLD_TEST_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="BLASTFOLD_TEST_DATA is not set")

# Pairs of the C-NMC sample that were looked at and show one cell in two photographs, as
# subject_picture_cell. Subject H10's pictures 129-159 come again as 162-192. The list was made from
# the audit's own output down to a similarity of 0.63, so it says nothing about pairs that give no
# candidate; the default threshold of 0.8 misses its last pair (0.71, out of focus).
SAME_CELL = """
    23_27_1 23_28_1, 23_36_3 23_37_1, 2_12_2 2_13_8, 32_24_4 32_29_3, 32_24_5 32_29_4,
    33_1_6 33_3_5, 34_31_4 34_35_5, 44_17_1 44_18_1, 44_27_1 44_28_1, 44_32_2 44_37_2,
    46_1_1 46_2_1, 46_1_4 46_2_4, H10_129_4 H10_162_2, H10_130_1 H10_163_1,
    H10_132_2 H10_165_2, H10_132_5 H10_165_6, H10_133_1 H10_166_1, H10_136_2 H10_169_2,
    H10_139_2 H10_172_2, H10_141_1 H10_174_1, H10_142_1 H10_175_1, H10_142_2 H10_175_2,
    H10_142_3 H10_175_3, H10_147_2 H10_180_2, H10_148_1 H10_181_1, H10_149_3 H10_182_3,
    H10_150_1 H10_183_1, H10_152_3 H10_185_3, H10_154_5 H10_187_5, H10_155_1 H10_188_1,
    H10_156_6 H10_189_7, H10_157_2 H10_190_3, H10_159_2 H10_192_1, H10_88_3 H10_90_2,
    H14_29_14 H14_30_5, H14_29_5 H14_30_1, H22_21_10 H22_28_10, H22_21_13 H22_28_11,
    H22_21_14 H22_28_12, H22_3_7 H22_4_6, H22_4_11 H22_5_16, H22_4_2 H22_5_1, H22_4_8 H22_5_10,
    H22_4_9 H22_5_12, 38_15_6 38_26_4
"""
# The same in the smears: BloodImage_00233 and 00254 are two photographs of one field, and both
# boxes of BloodImage_00034 are within one crop.
SAME_FIELD = [{"00233", "00254"}, {"00034"}]

# The least recall of every kind of planted copy.
KINDS = {
    "identical": 1.0,
    "flipped_or_turned": 1.0,
    "recompressed": 0.95,
    "brightness": 0.95,
    "added brightness": 0.95,
    "contrast": 0.95,
    "shifted": 0.95,
    "turned, contrast, jpeg": 0.95,
    "shifted, turned, brightness, jpeg": 0.95,
}


def turn(image, number):
    image = np.rot90(image, number % 4)
    return image[:, ::-1] if number >= 4 else image


def jpeg(image, random):
    quality = int(random.integers(50, 96))
    bgr = np.ascontiguousarray(image[..., ::-1])
    written = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(written, cv2.IMREAD_COLOR)[..., ::-1]


def clip(image):
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def factor(random):
    return random.choice([random.uniform(0.8, 0.95), random.uniform(1.05, 1.2)])


def contrast(image, random):
    mean = image.mean(axis=(0, 1))
    return clip((image - mean) * factor(random) + mean)


def shifted(photograph, box, random):
    """Crop again, with at least 70 % in common; outside a photograph all is black, as in C-NMC."""
    top, left, size = box
    height, width = photograph.shape[:2]
    while True:
        down, right = (round(share * size) for share in random.uniform(-0.3, 0.3, 2))
        kept = (1 - abs(down) / size) * (1 - abs(right) / size)
        inside = 0 <= top + down <= height - size and 0 <= left + right <= width - size
        if 0.7 <= kept < 0.98 and (inside or height == size):
            break
    padded = np.pad(photograph, ((size, size), (size, size), (0, 0)))
    top, left = top + down + size, left + right + size
    return padded[top : top + size, left : left + size]


def plant(kind, photograph, box, random):
    top, left, size = box
    image = photograph[top : top + size, left : left + size]
    number = int(random.integers(1, 8))
    make = {
        "identical": lambda: image,
        "flipped_or_turned": lambda: turn(image, number),
        "recompressed": lambda: jpeg(image, random),
        "brightness": lambda: clip(image * factor(random)),
        "added brightness": lambda: clip(image + random.choice([-1, 1]) * random.uniform(10, 51)),
        "contrast": lambda: contrast(image, random),
        "shifted": lambda: shifted(photograph, box, random),
        "turned, contrast, jpeg": lambda: jpeg(contrast(turn(image, number), random), random),
        "shifted, turned, brightness, jpeg": lambda: jpeg(
            clip(turn(shifted(photograph, box, random), number) * factor(random)), random
        ),
    }
    return make[kind]()


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]


def shrink(image, size):
    return cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=cv2.INTER_AREA)


def cnmc_crops():
    for path in sorted(Path(DATA, "cnmc2019_sample").rglob("*.png")):
        yield "_".join(path.stem.split("_")[1:4]), read(path), (0, 0, 450)


def smear_crops(size=220):
    folder = Path(DATA, "bccd_sample")
    for path in sorted((folder / "Annotations").glob("*.xml")):
        photograph = read(folder / "JPEGImages" / f"{path.stem}.jpg")
        boxes = ElementTree.parse(path).getroot().iter("object")
        for number, box in enumerate(boxes):
            if box.findtext("name") != "WBC":
                continue
            start = []
            for axis, (low, high) in enumerate((("ymin", "ymax"), ("xmin", "xmax"))):
                middle = sum(int(box.findtext(f"bndbox/{name}")) for name in (low, high)) / 2
                start.append(int(np.clip(middle - size / 2, 0, photograph.shape[axis] - size)))
            yield f"{path.stem.split('_')[1]}_{number}", photograph, (*start, size)


def build(crops, size, copies_of_a_kind):
    """Return images, names and the truth: copy's name -> (original's name, kind)."""
    random = np.random.default_rng(2022)
    crops = list(crops)
    names, images, truth = [], [], {}
    for name, photograph, (top, left, side) in crops:
        names.append(name)
        images.append(shrink(photograph[top : top + side, left : left + side], size))
    for kind in KINDS:
        for index in random.choice(len(crops), copies_of_a_kind, replace=False):
            name, photograph, box = crops[index]
            names.append(f"copy_{len(truth)}")
            truth[names[-1]] = (name, kind)
            images.append(shrink(plant(kind, photograph, box, random), size))
    return np.stack(images), names, truth


def measure(images, names, truth):
    """Return the recall of each kind and the pairs of originals."""
    found = find_duplicates(images, names, DEFAULTS, threads=2)
    pairs = {frozenset(pair) for pair in zip(found["first"], found["second"], strict=True)}
    recall = {}
    for kind in KINDS:
        asked = [frozenset((copy, name)) for copy, (name, kept) in truth.items() if kept == kind]
        recall[kind] = sum(pair in pairs for pair in asked) / len(asked)
    print({kind: round(share, 3) for kind, share in recall.items()})
    return recall, {pair for pair in pairs if not any(name in truth for name in pair)}


@pytest.mark.parametrize("size", [64, 128, 257])
def test_cnmc_sample(size):
    recall, originals = measure(*build(cnmc_crops(), size, 60))
    known = {frozenset(pair.split()) for pair in SAME_CELL.split(",")}
    false = originals - known
    print(f"{size} px: {len(originals & known)} of {len(known)} known pairs, {len(false)} false")
    assert all(recall[kind] >= least for kind, least in KINDS.items())
    # At most 1 false pair per 1000 images.
    assert len(false) <= 1
    assert len(originals & known) >= 0.95 * len(known)


def test_smear_crops():
    recall, originals = measure(*build(smear_crops(), 128, 24))
    assert all(recall[kind] >= least for kind, least in KINDS.items())
    assert originals
    assert all({name.split("_")[0] for name in pair} in SAME_FIELD for pair in originals)


def test_ten_thousand_images():
    random = np.random.default_rng(5)
    cells = [shrink(image, 128) for _, image, _ in cnmc_crops()]
    rows, columns = np.mgrid[:128, :128].astype(np.float32)

    def field(length):
        noise = cv2.GaussianBlur(random.normal(size=(128, 128)).astype(np.float32), (0, 0), length)
        return noise / noise.std()

    images = np.empty((10_000, 128, 128, 3), np.uint8)
    for image in images:
        turned = cv2.getRotationMatrix2D((63.5, 63.5), random.uniform(0, 360), 1.0)
        cell = cv2.warpAffine(cells[random.integers(len(cells))], turned, (128, 128))
        bent = cv2.remap(cell, columns + 2 * field(8), rows + 2 * field(8), cv2.INTER_LINEAR)
        image[...] = clip(bent * (1 + 0.12 * field(2)[..., None]))
    started, worked = time.perf_counter(), time.process_time()
    found = find_duplicates(images, [str(number) for number in range(len(images))], DEFAULTS, 2)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    print(f"10,000 images: {seconds:.0f} s, {work:.0f} s of processor time, {len(found)} pairs")
    assert len(found) <= 10
    # Processor time over two cores, so that a busy machine does not fail the target of 180 s.
    assert work / 2 < 180
