"""Duplicate audit on real cells with planted copies: recall, false pairs and time.

Needs BLASTFOLD_TEST_DATA, a folder with `cnmc2019_sample` (C-NMC 2019, 450x450), `bccd_sample`
(smear photographs with boxes) and `wbc_sample` (leukocytes of two laboratories, 100 to 120 and 300
pixels, Zheng et al. 2018). Copies are made from the full-size originals and shrunk after that,
as a data set with hidden duplicates would be. Run with `-s` to see the measured figures.
"""

import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from support.schema_defaults import defaults_of

from blastfold.datasets.generated_smears import generate_demo
from blastfold.images.decoding import fit_image, one_opencv_thread
from blastfold.leakage.duplicate_features import describe_images
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

# Pairs of the 300 leukocytes of laboratory 1 that were looked at and show one cell. The list was
# made from the audit's own output at five sizes, down to a similarity of 0.74.
SAME_LEUKOCYTE = """
    019 075, 021 082, 026 089, 030 086, 051 073, 054 091, 056 092, 060 090, 070 072, 071 084,
    112 139, 157 158, 166 171, 167 169
"""

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


@pytest.mark.parametrize("size", [64, 80, 120, 224, 257])
@pytest.mark.parametrize(
    ("laboratory", "labels"),
    [("laboratory_1", ""), ("laboratory_1", "lymphocyte"), ("laboratory_2", "")],
)
def test_leukocytes_of_two_laboratories(laboratory, labels, size):
    """Whole crops with their background, most of them enlarged or shrunk, without any copies."""
    folder = Path(DATA, "wbc_sample", laboratory)
    cells = pd.read_csv(folder / "cells.tsv", sep="\t")
    cells = cells[cells["label"].isin([labels]) | (labels == "")]
    images = [fit_image(read(folder / path), (size, size)) for path in cells["path"]]
    names = [Path(path).stem for path in cells["path"]]
    found = find_duplicates(np.stack(images), names, DEFAULTS, threads=2)
    pairs = {frozenset(pair) for pair in zip(found["first"], found["second"], strict=True)}
    known = {frozenset(pair.split()) for pair in SAME_LEUKOCYTE.split(",")}
    known = {pair for pair in known if pair <= set(names) and laboratory == "laboratory_1"}
    print(f"{len(pairs & known)} of {len(known)} known pairs, {len(pairs - known)} false")
    assert not pairs - known
    assert len(pairs & known) >= 0.9 * len(known)


def test_smear_crops():
    recall, originals = measure(*build(smear_crops(), 128, 24))
    assert all(recall[kind] >= least for kind, least in KINDS.items())
    assert originals
    assert all({name.split("_")[0] for name in pair} in SAME_FIELD for pair in originals)


def full_set(image, random):
    """Apply all changes of the thesis' augmentation set, written without the library."""
    image = image.astype(float)
    mean = image.mean(axis=(0, 1))
    image = (image - mean) * random.uniform(0.9, 1.1) + mean + 25.5 * random.uniform(-1, 1)
    luma = (image @ [0.299, 0.587, 0.114])[..., None]
    image = (image - luma) * random.uniform(0.9, 1.1) + luma
    to_yiq = np.array(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
    )
    angle = 0.04 * np.pi * random.uniform(-1, 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    hue = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    image = turn(clip(image @ (np.linalg.inv(to_yiq) @ hue @ to_yiq).T), int(random.integers(8)))
    side = len(image)
    height, width = (1 - 0.1 * random.random() for _ in range(2))
    top, left = (1 - height) * random.random(), (1 - width) * random.random()
    window = [
        [1 / width, 0, -(left * side + 0.5 * width - 0.5) / width],
        [0, 1 / height, -(top * side + 0.5 * height - 0.5) / height],
    ]
    return warp(image, np.array(window), cv2.BORDER_REPLICATE)


def warp(image, matrix, border):
    size = image.shape[1::-1]
    image = np.ascontiguousarray(image)
    return cv2.warpAffine(image, matrix.astype(np.float32), size, borderMode=border)


def rotate_and_scale(image, angle, scale, border):
    middle = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    return warp(image, cv2.getRotationMatrix2D(middle, angle, scale), border)


def stain_shift(image, random):
    """Change haematoxylin, eosin and DAB (Ruifrok and Johnston 2001) by up to 10 %."""
    dyes = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    density = -np.log10((image.astype(float) + 1) / 256)
    changed = density @ np.linalg.inv(dyes) * random.uniform(0.9, 1.1, 3) @ dyes
    return clip(256 * 10**-changed - 1)


GROWN = {
    "full augmentation set": lambda image, random, border: full_set(image, random),
    "scaled": lambda image, random, border: rotate_and_scale(
        image, 0, random.uniform(0.8, 1.25), border
    ),
    "rotated": lambda image, random, border: rotate_and_scale(
        image, random.uniform(0, 360), 1, border
    ),
    "stained": lambda image, random, border: stain_shift(image, random),
}


def check_grown(images, count, borders, known):
    """Grow some of the images by one copy of each kind; hold groups and false pairs to account.

    Args:
        images: uint8 (n, h, w, 3).
        count: Images that are grown.
        borders: How OpenCV fills what a rotation leaves empty; one is drawn for each copy.
        known: Pairs of originals (rows) that show the same cell.
    """
    random = np.random.default_rng(15)
    grown, family = list(images), list(range(len(images)))
    for row in random.choice(len(images), count, replace=False):
        for change in GROWN.values():
            grown.append(change(images[row], random, borders[random.integers(len(borders))]))
            family.append(int(row))
    names = [str(row) for row in range(len(grown))]
    found = find_duplicates(np.stack(grown), names, DEFAULTS, threads=2)
    assert_grown_are_found(found, np.array(family), len(images), known)


def assert_grown_are_found(found, family, originals, known):
    """Check that 98 % of each kind are grouped with their original, and count false pairs.

    Args:
        found: The audit's table; the names are rows.
        family: The row of each image's original; copies come last, one of each kind in turn.
        originals: Number of images that are no copies.
        known: Pairs of originals (rows) that show the same cell.
    """
    first, second = (found[end].to_numpy(dtype=int) for end in ("first", "second"))
    links = coo_array((np.ones(len(found)), (first, second)), shape=(len(family),) * 2)
    group = connected_components(links, directed=False)[1]
    linked = group[originals:] == group[family[originals:]]
    recall = dict(zip(GROWN, linked.reshape(-1, len(GROWN)).mean(axis=0).round(3), strict=True))
    ends = zip(family[first], family[second], strict=True)
    false = {frozenset((int(a), int(b))) for a, b in ends if a != b} - known
    print(recall, f"{len(false)} false among {originals} images")
    assert all(share >= 0.98 for share in recall.values())
    assert len(false) <= originals / 1000 + 1


def test_grown_copies_of_cnmc():
    crops = list(cnmc_crops())
    rows = {name: row for row, (name, _, _) in enumerate(crops)}
    known = {frozenset(rows[name] for name in pair.split()) for pair in SAME_CELL.split(",")}
    images = [shrink(image, 128) for _, image, _ in crops]
    check_grown(images, 150, [cv2.BORDER_CONSTANT], known)


def test_grown_copies_of_generated_cells(tmp_path):
    settings = defaults_of("demo") | {"subjects_per_class": 8, "duplicates": 0}
    generate_demo(tmp_path, settings, 2022)
    images = [read(path) for path in sorted((tmp_path / "cells").glob("*.png"))]
    borders = [cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT]
    check_grown(images, 150, borders, set())


def ratio_to_describing(images):
    """Return the table, and the work of the audit as a multiple of describing the same images."""
    some = np.linspace(0, len(images) - 1, min(len(images), 2000)).astype(int)
    with ThreadPoolExecutor(2) as workers, one_opencv_thread():
        started = time.process_time()
        describe_images(images, some, workers)
        describing = (time.process_time() - started) * len(images) / len(some)
    started, worked = time.perf_counter(), time.process_time()
    found = find_duplicates(images, [str(row) for row in range(len(images))], DEFAULTS, 2)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    print(
        f"{len(images)} images: {seconds:.0f} s, {work:.0f} s of processor time, "
        f"{work / describing:.1f} times describing them ({describing:.0f} s); {len(found)} pairs"
    )
    return found, work / describing


def test_dense_crops():
    """Crops around all cells of smears, each twice with a shift of up to 20 pixels."""
    random = np.random.default_rng(1)
    folder = Path(DATA, "bccd_sample")
    crops, photographs = [], []
    for path in sorted((folder / "Annotations").glob("*.xml")):
        photograph = read(folder / "JPEGImages" / f"{path.stem}.jpg")
        for box in ElementTree.parse(path).getroot().iter("object"):
            for moved in (0, 20):
                corner = []
                for axis, ends in enumerate((("ymin", "ymax"), ("xmin", "xmax"))):
                    middle = sum(int(box.findtext(f"bndbox/{name}")) for name in ends) / 2
                    start = middle - 64 + random.uniform(-moved, moved)
                    corner.append(int(np.clip(start, 0, photograph.shape[axis] - 128)))
                top, left = corner
                crops.append(photograph[top : top + 128, left : left + 128])
                photographs.append(path.stem.split("_")[1])
    assert len(crops) == 1698
    found, ratio = ratio_to_describing(np.stack(crops))
    ends = [[photographs[int(row)] for row in found[end]] for end in ("first", "second")]
    pairs = {frozenset(pair) for pair in zip(*ends, strict=True)}
    assert all(len(pair) == 1 or pair in SAME_FIELD for pair in pairs)
    twins = {(str(row), str(row + 1)) for row in range(0, len(crops), 2)}
    linked = twins & set(zip(found["first"], found["second"], strict=True))
    print(f"{len(linked)} of {len(twins)} twins")
    assert len(linked) >= 0.95 * len(twins)
    assert ratio < 4


def many_cells(count, path):
    """Write bent cells, each with its own texture, then 100 grown copies of each kind.

    Returns:
        uint8 (count, 128, 128, 3) mapped from the file, and the family of each image.
    """
    random = np.random.default_rng(5)
    cells = [shrink(image, 128) for _, image, _ in cnmc_crops()]
    rows, columns = np.mgrid[:128, :128].astype(np.float32)

    def field(size, length):
        noise = random.standard_normal((size, size), np.float32)
        noise = cv2.resize(cv2.GaussianBlur(noise, (0, 0), length), (128, 128))
        return noise / noise.std()

    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 128, 128, 3))
    family, copies = np.arange(count), 100 * len(GROWN)
    for image in images[:-copies]:
        turned = cv2.getRotationMatrix2D((63.5, 63.5), random.uniform(0, 360), 1.0)
        cell = cv2.warpAffine(cells[random.integers(len(cells))], turned, (128, 128))
        bent = cv2.remap(
            cell, columns + 2 * field(32, 2), rows + 2 * field(32, 2), cv2.INTER_LINEAR
        )
        image[...] = clip(bent * (1 + 0.12 * field(128, 2)[..., None]))
    originals = random.choice(count - copies, 100, replace=False)
    family[-copies:] = np.repeat(originals, len(GROWN))
    for row, original in enumerate(originals):
        for kind, change in enumerate(GROWN.values()):
            copy = change(images[original], random, cv2.BORDER_CONSTANT)
            images[count - copies + row * len(GROWN) + kind] = copy
    return images, family


@pytest.mark.parametrize(
    "count",
    [
        10_000,
        pytest.param(
            100_000,
            marks=pytest.mark.skipif(
                os.environ.get("BLASTFOLD_BENCHMARK_IMAGES") != "100000",
                reason="takes 15 minutes; BLASTFOLD_BENCHMARK_IMAGES=100000 runs it",
            ),
        ),
    ],
)
def test_many_images(count, tmp_path):
    images, family = many_cells(count, tmp_path / "images.npy")
    found, ratio = ratio_to_describing(images)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak of memory: {memory:.1f} GB, {images.nbytes / 2**30:.1f} GB of images included")
    assert_grown_are_found(found, family, count - 100 * len(GROWN), set())
    assert ratio < 4
    # The images are mapped from their file, and count as far as they are in memory.
    assert memory < 4 + images.nbytes / 2**30
