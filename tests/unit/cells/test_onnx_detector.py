"""A detector in an ONNX file in place of the classical one: boxes, what is declared, contours."""

import cv2
import numpy as np
import pytest
from support.small_detectors import write_detector
from support.smears import write_image

from blastfold.cells.box_formats import Raw, suppress_overlaps
from blastfold.cells.boxed_cells import Box, find_boxed_cells
from blastfold.cells.detection import search_files
from blastfold.cells.finders import open_finder
from blastfold.cells.onnx_detector import OnnxDetector
from blastfold.core.errors import InputError
from blastfold.core.names import CUT_BY_EDGE, PLATELET
from blastfold.slides.generated_slide import write_pyramid

GLASS, NUCLEUS, BODY = (230, 228, 222), (60, 40, 140), (200, 185, 215)


def drawn(height, width, *middles, radius=12):
    picture = np.full((height, width, 3), GLASS, np.uint8)
    for middle in middles:
        cv2.circle(picture, middle, radius, NUCLEUS, -1)
    return picture


def middles(boxes):
    return sorted((box.left + box.width / 2, box.top + box.height / 2) for box in boxes)


@pytest.mark.parametrize("form", ["yolo8", "yolo5", "rows", "lists"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_every_form_of_boxes_and_layout_gives_the_dark_place(tmp_path, form, layout):
    declared = write_detector(tmp_path / "small.onnx", form=form, layout=layout)
    detector = OnnxDetector(tmp_path / "small.onnx", declared)
    # A square of 8 pixels of the input is 32 of the photograph, whose 256x128 pixels become 64x32
    # with 16 rows of grey above and below.
    picture = drawn(128, 256, (176, 48), radius=30)
    (box,) = detector(picture, 32.0)
    assert (box.left, box.top, box.width, box.height) == pytest.approx((128, 0, 96, 96))


def test_boxes_may_be_shares_and_photographs_stretched(tmp_path):
    declared = write_detector(tmp_path / "small.onnx", form="rows", unit=64.0)
    declared |= {"unit": "share", "fit": "stretch", "least_score": 0.15}
    (box,) = OnnxDetector(tmp_path / "small.onnx", declared)(drawn(64, 256, (176, 28), radius=4), 9)
    # Squares of 32 x 8 pixels of the photograph.
    assert (box.left + box.width / 2, box.top + box.height / 2) == pytest.approx((176, 28))
    assert (box.width, box.height) == pytest.approx((96, 24))


def test_windows_at_the_scale_of_the_network_count_every_cell_once(tmp_path):
    declared = write_detector(tmp_path / "small.onnx", side=16.0)
    declared |= {"red_cell_diameter": 8.0, "least_score": 0.4, "most_overlap": 0.1}
    detector = OnnxDetector(tmp_path / "small.onnx", declared)
    # Red cells of 16 pixels: the network sees 128 pixels of the photograph at a time.
    places = [(20, 20), (125, 60), (131, 150), (250, 100), (330, 200)]
    boxes = detector(drawn(240, 360, *places, radius=12), 16.0)
    assert len(boxes) == len(places)
    np.testing.assert_allclose(middles(boxes), sorted(places), atol=9)


def test_classes_are_leukocytes_platelets_or_left_out(tmp_path):
    declared = write_detector(tmp_path / "small.onnx", form="lists")
    picture = drawn(64, 64, (28, 28), radius=9)
    for classes, expected in (
        ({"leukocytes": [1]}, [""]),
        ({"leukocytes": [0], "platelets": [1]}, [PLATELET]),
        ({"leukocytes": [0]}, []),
    ):
        found = OnnxDetector(tmp_path / "small.onnx", declared | classes)(picture, 20)
        assert [box.set_aside for box in found] == expected


def test_of_overlapping_boxes_the_most_certain_of_a_kind_is_kept():
    # Areas of 100; the first two have 50 in common, a third of their union; the last is empty.
    boxes = np.array(
        [[0, 0, 10, 10], [5, 0, 10, 10], [30, 0, 10, 10], [4, 0, 10, 10], [0, 0, 0, 5]]
    )
    raw = Raw(boxes.astype(float), np.array([0.5, 0.9, 0.3, 0.8, 1.0]), np.zeros(5, int))
    kinds = np.array([False, False, False, True, False])
    assert suppress_overlaps(raw, kinds, 0.3).tolist() == [1, 3, 2]
    assert suppress_overlaps(raw, kinds, 0.4).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, r"sha256: received 0+, but .* has [0-9a-f]{64}\. It is another"),
        ({"layout": "nhwc"}, r"layout nhwc and the size \[64, 64\], axis 3 .* has 3; but"),
        ({"size": [64, 32]}, r"axis 3 of the image has 32; but .*\[1, 3, 64, 64\]"),
        ({"format": "yolo5"}, r"format: received yolo5, which has at least six .*\(5, 64\)"),
        ({"format": "rows"}, r"received rows, which has six numbers per box"),
        ({"format": "lists"}, r"lists needs the outputs boxes, scores and labels; .* has found"),
    ],
)
def test_what_does_not_fit_the_file_is_an_error_before_any_photograph(tmp_path, change, message):
    declared = write_detector(tmp_path / "small.onnx")
    with pytest.raises(InputError, match=message):
        OnnxDetector(tmp_path / "small.onnx", declared | change)


def test_a_file_that_is_no_network_is_an_error(tmp_path):
    declared = write_detector(tmp_path / "small.onnx")
    with pytest.raises(InputError, match=r"absent\.onnx does not exist"):
        open_finder({"onnx": declared}, tmp_path / "absent.onnx")
    (tmp_path / "small.onnx").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(InputError, match="ONNX Runtime cannot load"):
        open_finder({"onnx": declared | {"sha256": empty}}, tmp_path / "small.onnx")


def test_contours_are_those_of_the_nucleus_and_body_in_each_box():
    # Two cells whose nuclei touch, a pale thing without a nucleus, a platelet and a cut cell.
    picture = np.full((200, 240, 3), GLASS, np.uint8)
    for middle, inner in (((60, 60), 18), ((96, 60), 18), ((0, 150), 14)):
        cv2.circle(picture, middle, 26, BODY, -1)
        cv2.circle(picture, middle, inner, NUCLEUS, -1)
    boxes = [
        *(Box(36, 34, 46, 52, ""), Box(74, 34, 48, 52, ""), Box(-20, 124, 46, 52, "")),
        *(Box(150, 100, 40, 60, ""), Box(200, 20, 12, 12, PLATELET), Box(400, 400, 9, 9, "")),
    ]
    cells = find_boxed_cells(picture, 32.0, boxes_of=lambda picture, diameter: boxes)
    found = {(round(cell.x, -1), round(cell.y, -1)): cell for cell in cells}
    assert set(found) == {(60, 60), (100, 60), (10, 150), (170, 130), (210, 30)}
    for place in ((60, 60), (100, 60)):
        assert found[place].nucleus_area == pytest.approx(np.pi * 18**2, rel=0.12)
        assert found[place].area > 1.3 * found[place].nucleus_area
        assert found[place].set_aside == ""
    assert found[60, 60].outline[:, 0].max() <= found[100, 60].outline[:, 0].min() + 2
    assert found[10, 150].set_aside == CUT_BY_EDGE
    assert found[210, 30].set_aside == PLATELET
    # Nothing is purple there: the ellipse of the box is the outline.
    pale = found[170, 130]
    assert pale.area == pytest.approx(1.2 * np.pi * 20 * 30, rel=0.05)
    assert (pale.nucleus_area, pale.lobes) == (0, 0)


def test_photographs_and_slides_are_searched_and_whole_photographs_alone_where_so_declared(
    tmp_path,
):
    picture = drawn(400, 400, (100, 100), (300, 250))
    write_image(tmp_path / "photograph.png", picture)
    write_pyramid(tmp_path / "slide.tif", picture, reductions=(2,))
    files = [tmp_path / name for name in ("photograph.png", "slide.tif")]
    settings = {"red_cell_diameter": 16.0}
    for red_cell, numbers in ((8.0, [2, 2]), (None, [2, 0])):
        declared = write_detector(tmp_path / "small.onnx", side=20.0) | {"least_score": 0.4}
        declared |= {"red_cell_diameter": red_cell, "most_overlap": 0.1}
        if red_cell is None:
            declared["least_score"] = 0.1
        finder = open_finder({"onnx": declared}, tmp_path / "small.onnx")
        found = search_files(files, settings, report=None, finder=finder)
        assert [len(one.cells) for one in found] == numbers
    assert "slides and photographs of this size need" in found[1].problem
    assert found[0].cells[0].x == pytest.approx(100, abs=2)
