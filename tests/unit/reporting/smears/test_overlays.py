"""Overlays: what is drawn where, on a generated photograph."""

import cv2
import numpy as np
import pytest
from support.smear_applications import write_application
from support.smears import write_image
from support.touching_smears import draw_smear

from blastfold.reporting.smears.application import Application, contour
from blastfold.reporting.smears.colours import SCALE, colours_of
from blastfold.reporting.smears.overlays import SHORTEST, draw_overlays, overlay_names
from blastfold.reporting.smears.pictures import resized, scale_bar

NEAR = 60
"""Grey levels by which JPEG and smooth lines change a colour."""


def test_contours_have_the_colour_of_their_probability(tmp_path):
    picture, _ = draw_smear(7, 4.4, (70, 93), alone=3, pairs=0)
    write_image(tmp_path / "raw" / "P1" / "one.png", picture)
    (tmp_path / "raw" / "broken.png").write_text("no photograph")
    files = write_application(tmp_path / "raw", tmp_path / "made")
    draw_overlays(files, tmp_path / "raw", tmp_path / "overlays")
    drawn = cv2.imread(str(tmp_path / "overlays" / "P1" / "one.jpg"))[..., ::-1].astype(int)
    assert [path.name for path in (tmp_path / "overlays").rglob("*.jpg")] == ["one.jpg"]
    factor = SHORTEST / picture.shape[1]
    assert drawn.shape[1] == SHORTEST
    strip = drawn[round(picture.shape[0] * factor) :]
    assert (strip > 240).all(axis=2).mean() > 0.7
    application = Application.read("Smears", files)
    assert len(application.classified) == 3
    for cell in application.classified.to_dict("records"):
        colour = 255 * colours_of([cell["probability"]])[0]
        corners = ((contour(cell) + 0.5) * factor).astype(int)
        around = [drawn[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3) for x, y in corners]
        nearest = [np.abs(pixels - colour).max(axis=1).min() for pixels in around if len(pixels)]
        assert np.median(nearest) < NEAR


def test_the_scale_rises_in_lightness_to_its_stored_ends():
    shown = colours_of(np.linspace(0, 1, 50))
    lightness = shown @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > 0).all()
    assert [
        f"#{bytes((255 * colour + 0.5).astype(np.uint8)).hex()}" for colour in shown[[0, -1]]
    ] == [
        SCALE[0],
        SCALE[-1],
    ]


@pytest.mark.parametrize(
    ("width", "micrometres", "bar"),
    [(1280, 0.08, (20, 250.0)), (640, 0.1, (10, 100.0)), (100, 0.01, None), (640, np.nan, None)],
)
def test_the_scale_bar_is_a_round_length_that_fits(width, micrometres, bar):
    assert scale_bar(width, micrometres) == bar


def test_two_photographs_of_one_name_keep_their_endings():
    assert overlay_names(["a/1.png", "a/1.jpg", "b/1.png"]) == {
        "a/1.png": "a/1.png.jpg",
        "a/1.jpg": "a/1.jpg.jpg",
        "b/1.png": "b/1.jpg",
    }


def test_pictures_are_enlarged_and_shrunk_within_limits():
    picture = np.zeros((30, 40, 3), np.uint8)
    assert resized(picture, 80, 100).picture.shape == (60, 80, 3)
    assert resized(picture, 10, 20)[1] == 0.5
    assert resized(picture, 10, 100).picture is picture
