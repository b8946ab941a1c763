"""Crops in generated smears and in the real `bccd_sample`: all found, none invented."""

from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from support.smears import draw_field, photograph, recompress, write_image

from blastfold.cells.search import find_crops
from blastfold.core.names import AMBIGUOUS, FOUND, IDENTICAL, NO_TEXTURE, NOT_FOUND, TOO_SMALL
from blastfold.images.decoding import decode_image

SIDE = 96
HEIGHT, WIDTH = 480, 640


@pytest.fixture(scope="module")
def smears(tmp_path_factory):
    """Six photographs and their pixels: 0 and 1 overlap, and 1 and 2; 3 to 5 show other fields."""
    random = np.random.default_rng(7)
    folder = tmp_path_factory.mktemp("smears")
    fields = [draw_field(random, 560, 1500, leukocytes=24)[0]]
    fields += [draw_field(random, HEIGHT, WIDTH, leukocytes=8)[0] for _ in range(3)]
    windows = [(0, 0, 0), (0, 30, 420), (0, 60, 840), (1, 0, 0), (2, 0, 0), (3, 0, 0)]
    files, pictures = [], []
    for number, (field, top, left) in enumerate(windows):
        picture = photograph(random, fields[field], top, left, HEIGHT, WIDTH)
        files.append(folder / f"photograph {number}.jpg")
        pictures.append(write_image(files[-1], picture, cv2.IMWRITE_JPEG_QUALITY, 95))
    return files, pictures


def search(tmp_path, photographs, crops):
    files = []
    for number, crop in enumerate(crops):
        files.append(tmp_path / f"crop {number}.png")
        write_image(files[-1], crop)
    return find_crops(files, photographs, threads=2, report=None)


def places_in(pictures, count, seed=0):
    """Some places (photograph, row, column) with cells, corners and edges among them."""
    random = np.random.default_rng(seed)
    last = HEIGHT - SIDE, WIDTH - SIDE
    edges = [(0, 0), (0, last[1]), (last[0], 0), last, (0, 200), (150, last[1])]
    for number in range(len(pictures)):
        for top, left in [*edges[:count], *random.integers(0, last, (count, 2)).tolist()]:
            # Empty background and the edge of one red cell fit many places.
            if cut(pictures, (number, top, left))[16:-16, 16:-16, 1].std() > 15:
                yield number, top, left


def cut(pictures, place):
    number, top, left = place
    return pictures[number][top : top + SIDE, left : left + SIDE]


def found(outcome):
    return outcome.match and outcome.match[:3]


def test_every_crop_is_found_at_its_place_also_at_the_edge(smears, tmp_path):
    files, pictures = smears
    places = list(places_in(pictures, 6))
    assert len(places) > 40
    outcomes = search(tmp_path, files, [cut(pictures, place) for place in places]).outcomes
    assert {outcome.code for outcome in outcomes} == {IDENTICAL}
    assert [found(outcome) for outcome in outcomes] == places
    assert all(outcome.match.correlation == 1 for outcome in outcomes)


CHANGES = {
    "JPEG 90": lambda crop: recompress(crop, 90),
    "JPEG 60": lambda crop: recompress(crop, 60),
    "brightness": lambda crop: np.clip(0.85 * crop + 10, 0, 255).astype(np.uint8),
    "grey": lambda crop: np.repeat(crop[..., 1:2], 3, axis=2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_crops_are_found(smears, tmp_path, change):
    files, pictures = smears
    places = list(places_in(pictures, 3, seed=1))
    outcomes = search(tmp_path, files, [CHANGES[change](cut(pictures, p)) for p in places]).outcomes
    assert [found(outcome) for outcome in outcomes] == places
    assert {outcome.code for outcome in outcomes} == {FOUND}
    assert all(0.95 <= outcome.match.correlation < 1 for outcome in outcomes)


def test_a_crop_filled_up_beyond_the_edge_is_found(smears, tmp_path):
    files, pictures = smears
    places = [(number, -24, 200) for number in range(3, 6)] + [(4, 100, WIDTH - 70)]
    crops = []
    for number, top, left in places:
        padded = np.pad(pictures[number], ((50, 50), (50, 50), (0, 0)))
        crops.append(padded[top + 50 : top + 50 + SIDE, left + 50 : left + 50 + SIDE])
    outcomes = search(tmp_path, files, crops).outcomes
    assert [found(outcome) for outcome in outcomes] == places


def test_crops_of_absent_photographs_are_not_found(smears, tmp_path):
    files, pictures = smears
    places = list(places_in(pictures, 4, seed=2))
    outcomes = search(tmp_path, files[3:5], [cut(pictures, place) for place in places]).outcomes
    expected = [(n - 3, top, left) if n in (3, 4) else None for n, top, left in places]
    assert [found(outcome) for outcome in outcomes] == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda crop: crop[:, ::-1],
        lambda crop: np.rot90(crop),
        lambda crop: cv2.resize(crop, (130, 130)),
        lambda crop: cv2.resize(crop, (70, 70), interpolation=cv2.INTER_AREA),
    ],
    ids=["mirrored", "turned", "enlarged", "shrunk"],
)
def test_what_is_not_supported_is_not_placed(smears, tmp_path, change):
    files, pictures = smears
    places = places_in(pictures, 3, seed=2)
    crops = [change(np.ascontiguousarray(cut(pictures, place))) for place in places]
    outcomes = search(tmp_path, files, crops).outcomes
    assert {outcome.code for outcome in outcomes} == {NOT_FOUND}


def test_flat_background_and_small_crops_are_not_placed(smears, tmp_path):
    files, _ = smears
    random = np.random.default_rng(3)
    ramp = np.linspace(190, 215, SIDE)[:, None, None] + np.zeros((SIDE, SIDE, 3))
    noise = random.normal(210, 1.5, (SIDE, SIDE, 3))
    crops = [np.full((SIDE, SIDE, 3), 210.0), ramp, noise, noise + ramp - 200]
    crops += [random.integers(0, 256, (SIDE, SIDE, 3)), random.integers(0, 256, (30, 96, 3))]
    result = search(tmp_path, files, [crop.clip(0, 255).astype(np.uint8) for crop in crops])
    codes = [outcome.code for outcome in result.outcomes]
    # A crop of one colour is all edge.
    assert codes[0] in (TOO_SMALL, NO_TEXTURE)
    assert set(codes[1:5]) <= {NOT_FOUND, NO_TEXTURE, TOO_SMALL, AMBIGUOUS}
    assert codes[5] == TOO_SMALL


def test_two_photographs_that_fit_equally_are_ambiguous(tmp_path):
    random = np.random.default_rng(5)
    cell = draw_field(random, SIDE, SIDE, leukocytes=2)[0]
    files, crops = [], []
    for number in range(3):
        field = draw_field(random, 300, 400, leukocytes=3)[0]
        field[100 : 100 + SIDE, 50 * number : 50 * number + SIDE] = cell
        files.append(tmp_path / f"photograph {number}.png")
        picture = write_image(files[-1], photograph(random, field, 0, 0, 300, 400))
        crops.append(picture[100 : 100 + SIDE, 50 * number : 50 * number + SIDE])
    outcomes = search(tmp_path, files, [recompress(crop, 80) for crop in crops]).outcomes
    assert {outcome.code for outcome in outcomes} == {AMBIGUOUS}
    assert all({match.photograph for match in o.matches} == {0, 1, 2} for o in outcomes)
    # Equal pixels decide.
    outcomes = search(tmp_path, files, crops).outcomes
    assert [outcome.match.photograph for outcome in outcomes] == [0, 1, 2]


def test_photographs_that_overlap_show_one_field(smears, tmp_path):
    files, pictures = smears
    result = search(tmp_path, files, [cut(pictures, (0, 100, 100))])
    assert [overlap[:2] for overlap in result.overlaps] == [(0, 1), (1, 2)]
    for overlap in result.overlaps:
        assert abs(overlap.down - 30) <= 2
        assert abs(overlap.right - 420) <= 2
        assert overlap.share == pytest.approx(450 * 220 / (HEIGHT * WIDTH), abs=0.02)
    assert result.fields == [0, 0, 0, 3, 4, 5]


def test_a_crop_of_a_common_area_has_the_photograph_that_it_was_cut_from(smears, tmp_path):
    files, pictures = smears
    places = [(0, 200, 500), (1, 170, 80), (1, 300, 470), (2, 270, 50)]
    crops = [cut(pictures, place) for place in places]
    outcomes = search(tmp_path, files, [*crops, *(recompress(c, 90) for c in crops)]).outcomes
    assert [found(outcome) for outcome in outcomes] == [*places, *places]
    assert any(len(outcome.matches) > 1 for outcome in outcomes)


def test_the_same_photograph_twice_is_one_field(smears, tmp_path):
    files, pictures = smears
    twice = tmp_path / "again.png"
    write_image(twice, pictures[4])
    result = search(tmp_path, [files[4], twice, files[5]], [cut(pictures, (4, 50, 60))])
    assert result.outcomes[0].match.photograph == 0
    assert [(*overlap[:2], overlap.share) for overlap in result.overlaps] == [(0, 1, 1.0)]
    assert result.fields == [0, 0, 2]


def test_photographs_of_other_kinds_and_damaged_ones(smears, tmp_path):
    files, pictures = smears
    kinds = tmp_path / "kinds"
    write_image(kinds / "grey.png", pictures[3][..., 1])
    write_image(kinds / "deep.png", pictures[4].astype(np.uint16) * 257)
    write_image(kinds / "large.bmp", np.pad(pictures[5], ((0, 300), (200, 0), (0, 0)), "reflect"))
    (kinds / "damaged.jpg").write_bytes(files[0].read_bytes()[:2000])
    (kinds / "empty.png").touch()
    write_image(kinds / "tiny.png", pictures[0][:30, :30])
    write_image(kinds / "dot.png", pictures[0][:1, :1])
    names = ["grey.png", "deep.png", "large.bmp", "damaged.jpg", "empty.png", "tiny.png", "dot.png"]
    places = [(0, 20, 30), (1, 200, 300), (2, 90, 260)]
    crops = [cut(pictures, place) for place in [(3, 20, 30), (4, 200, 300), (5, 90, 60)]]
    result = search(tmp_path, [kinds / name for name in names], crops)
    assert [found(outcome) for outcome in result.outcomes] == places
    assert {path.name for path in result.rejected} == {"damaged.jpg", "empty.png"}
    assert [p.path.name for p in result.photographs] == [*names[:3], *names[5:]]


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(smears, tmp_path, threads):
    files, pictures = smears
    crops = []
    for number, place in enumerate(places_in(pictures, 2)):
        crops.append(tmp_path / f"crop {number}.png")
        write_image(crops[-1], recompress(cut(pictures, place), 85))
    alone, again = (find_crops(crops, files, count, None) for count in (2, threads))
    assert alone.outcomes == again.outcomes
    assert alone.overlaps == again.overlaps


def test_without_a_readable_photograph_nothing_is_found(smears, tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"no image")
    result = search(tmp_path, [tmp_path / "damaged.png"], [cut(smears[1], (0, 0, 0))])
    assert [outcome.code for outcome in result.outcomes] == [NOT_FOUND]
    assert result.photographs == []
    assert len(result.rejected) == 1


# Two photographs of one field, as tests/benchmarks/test_duplicate_audit.py knows.
ONE_FIELD = {"BloodImage_00233", "BloodImage_00254"}


def boxes_of(folder, stem):
    """Centres (x, y) of the white cells that the annotations name, and of some red cells."""
    boxes = ElementTree.parse(folder / "Annotations" / f"{stem}.xml").getroot().iter("object")
    for number, box in enumerate(boxes):
        if box.findtext("name") == "WBC" or number % 6 == 0:
            corners = [int(box.findtext(f"bndbox/{n}")) for n in ("xmin", "xmax", "ymin", "ymax")]
            yield sum(corners[:2]) // 2, sum(corners[2:]) // 2


@pytest.mark.parametrize(("side", "quality"), [(220, None), (160, 50)])
def test_crops_of_real_photographs(test_data, tmp_path, side, quality):
    folder = test_data / "bccd_sample"
    files = sorted((folder / "JPEGImages").glob("*.jpg"))
    crops, truth = [], []
    for number, file in enumerate(files):
        picture = decode_image(file)
        for x, y in boxes_of(folder, file.stem):
            top = int(np.clip(y - side // 2, 0, picture.shape[0] - side))
            left = int(np.clip(x - side // 2, 0, picture.shape[1] - side))
            crop = picture[top : top + side, left : left + side]
            crops.append(recompress(crop, quality) if quality else crop)
            truth.append((number, top, left))
    # Every third photograph is missing: its crops are in none of the others.
    given = [number for number, file in enumerate(files) if number % 3 or file.stem in ONE_FIELD]
    result = search(tmp_path, [files[number] for number in given], crops)
    expected = [(given.index(n), *place) if n in given else None for n, *place in truth]
    assert expected.count(None) > 50
    assert len(expected) > 150
    assert [found(outcome) for outcome in result.outcomes] == expected
    pairs = [{files[given[n]].stem for n in overlap[:2]} for overlap in result.overlaps]
    assert pairs == [ONE_FIELD]
