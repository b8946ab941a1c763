"""Figures of the audit: pairs are aligned, kinds take turns, shares are drawn as they are."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from blastfold.core.errors import InputError
from blastfold.leakage.duplicate_images import ORIENTATION_NAMES, orient
from blastfold.leakage.duplicate_verification import Placement, name_transform
from blastfold.reporting.figures import audits, style

PAIR = ["first", "second", "kind", "transform", "similarity"]


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def picture(seed, height=6, width=6):
    return np.random.default_rng(seed).integers(0, 200, (height, width, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(8))
@pytest.mark.parametrize("shift", [(0, 0), (2, -1), (-3, 0), (0, 4)])
def test_the_second_image_is_on_the_first(orientation, shift):
    first = picture(1)
    turned = np.array(orient(first, orientation))
    second = np.zeros_like(turned)
    down, right = shift
    for row in range(6):
        for column in range(6):
            if 0 <= row - down < 6 and 0 <= column - right < 6:
                second[row, column] = turned[row - down, column - right]
    aligned = audits.align(second, name_transform(Placement(orientation, *shift)))
    shown = (aligned != audits.NO_PICTURE).any(axis=2)
    assert shown.sum() == (6 - abs(down)) * (6 - abs(right))
    np.testing.assert_array_equal(aligned[shown], first[shown])


def test_scales_and_angle_are_undone():
    # Worked example: from the middle (10, 10) a dot 4 down and 2 right, scaled to (6, 1.5), turned
    # by 90 degrees counter-clockwise to (-1.5, 6), shifted to (1.5, 5) and rounded.
    second = np.zeros((21, 21, 3), np.uint8)
    second[11:13, 14:16] = 255
    transform = name_transform(Placement(0, 3, -1, 90.0, (1.5, 0.75)))
    assert transform == "identity scaled (1.500, 0.750) rotated 90 shift (3, -1)"
    aligned = audits.align(second, transform)
    assert (aligned[14, 12] == 255).all()
    # One pixel of the first image is 1.5 times 0.75 of the second: few have the dot.
    assert 1 <= (aligned == 255).all(axis=2).sum() <= 6


def test_all_orientations_can_be_undone():
    assert set(audits.UNDO) == set(ORIENTATION_NAMES)


def test_a_shift_beyond_the_image_shows_nothing():
    aligned = audits.align(picture(1), "identity shift (6, 0)")
    assert (aligned == audits.NO_PICTURE).all()


@pytest.mark.parametrize(
    "transform",
    [
        *("twisted", "", "identity shift (1.5, 0)", "turn_90 (1, 2)"),
        *("identity rotated 3", "identity scaled (0, 1) rotated 3"),
    ],
)
def test_an_unknown_transform_is_named(transform):
    with pytest.raises(InputError, match="duplicates: transform "):
        audits.align(picture(1), transform)


def many(**counts):
    rows = [
        (f"{kind}{number}", f"{kind}{number}b", kind, "identity", 1 - number / 1000)
        for kind, count in counts.items()
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=PAIR)


def test_a_frequent_kind_does_not_push_a_rare_one_out():
    chosen = audits.choose_pairs(many(recompressed=500, identical=1, shifted=3), 12)
    assert chosen["kind"].value_counts().to_dict() == {
        "recompressed": 8,
        "shifted": 3,
        "identical": 1,
    }
    assert chosen["kind"].drop_duplicates().tolist() == ["identical", "recompressed", "shifted"]
    of_many = chosen.loc[chosen["kind"] == "recompressed", "similarity"]
    assert of_many.is_monotonic_decreasing
    assert of_many.iloc[[0, -1]].tolist() == [1.0, pytest.approx(0.501)]


def test_few_pairs_are_all_chosen_and_none_twice():
    found = many(identical=2, strange_kind=3)
    chosen = audits.choose_pairs(found, 12)
    assert sorted(chosen["first"]) == sorted(found["first"])
    assert chosen["kind"].iloc[-1] == "strange_kind"
    assert audits.choose_pairs(found.iloc[:0], 12).empty


def write_data_set(folder, found, subjects):
    ids = list(dict.fromkeys([*found["first"], *found["second"]])) or ["NA"]
    np.save(folder / "images.npy", np.stack([picture(i) for i in range(len(ids))]))
    table = pd.DataFrame({"image_id": ids, "label": 0, "subject": subjects or ""})
    table.to_csv(folder / "m.tsv", sep="\t", index=False)
    found.to_csv(folder / "d.tsv", sep="\t", index=False)
    paths = [folder / f"f.{ending}" for ending in ("pdf", "svg", "png")]
    audits.plot_duplicates(
        folder / "images.npy", folder / "m.tsv", folder / "d.tsv", "Cells $x_1$", paths
    )
    return paths


def test_figure_of_pairs_names_their_kinds_and_how_many_more_there_are(tmp_path):
    found = many(recompressed=14)
    found.loc[0, ["first", "transform"]] = ["NA", "turn_90 shift (3, -5)"]
    subjects = ["s1"] * 14 + ["s2", *["s1"] * 13]
    svg = write_data_set(tmp_path, found, subjects)[1].read_text()
    assert "Cells $x_1$: 14 pairs of duplicates with their similarity; 2 more are not" in svg
    assert "undone: turn 90 shift (3, -5)" in svg
    assert svg.count("different subjects") == 1
    assert ">NA<" in svg
    assert svg.count("<image") == 24
    # Saved again, the figure has the same width: no layout engine moves its images.
    assert imread(tmp_path / "f.png").shape[1] == pytest.approx(180 / 25.4 * 300, abs=1)


def test_data_set_without_duplicates_reports_it(tmp_path):
    svg = write_data_set(tmp_path, many(), None)[1].read_text()
    assert "Cells $x_1$: no duplicates were found." in svg
    assert "<image" not in svg


def test_pictures_of_a_pair_are_drawn_side_by_side_in_their_shape():
    found = many(identical=5).assign(first_subject="", second_subject="")
    shown = [(picture(i, 4, 8), picture(i + 9, 4, 8)) for i in range(5)]
    figure = audits.duplicate_pairs(shown, found, 5, "t")
    assert len(figure.axes) == 10
    drawn = [axes.images[0].get_array() for axes in figure.axes]
    for place, image in enumerate(image for pair in shown for image in pair):
        np.testing.assert_array_equal(drawn[place], image)
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert box.width / box.height == pytest.approx(2)
    assert "5 pairs of duplicates" in texts(figure)[-1] or any(
        "5 pairs of duplicates" in text for text in texts(figure)
    )
    assert not any("different subjects" in text for text in texts(figure))


@pytest.mark.parametrize("subjects", ["", "s"])
def test_no_text_of_a_pair_is_on_another_one(subjects):
    """Long names and the longest transform, as they are drawn."""
    long = "flip_left_right scaled (1.051, 0.896) rotated -111 shift (-101, -120)"
    found = many(scaled_or_rotated=6).assign(transform=long)
    found["first"] = [f"lymphocyte/slide{number:02}_cell01" for number in range(6)]
    found["second"] = [f"without-any-place-to-break-it{number:030}" for number in range(6)]
    found = found.assign(first_subject=subjects, second_subject=subjects * 2)
    shown = [(picture(i, 9, 9), picture(i + 9, 9, 9)) for i in range(6)]
    figure = audits.duplicate_pairs(shown, found, 6, "Cells")
    figure.canvas.draw()
    drawn = [text for axes in figure.axes for text in (*axes.texts, axes._left_title)]
    drawn = [text for text in [*drawn, *figure.texts] if text.get_text()]
    boxes = [text.get_window_extent() for text in drawn]
    boxes += [axes.get_window_extent() for axes in figure.axes]
    assert len(boxes) == 6 * (5 + len(subjects)) + 1
    for place, box in enumerate(boxes):
        assert not any(box.padded(-0.5).overlaps(other.padded(-0.5)) for other in boxes[:place])
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y0 >= 0
    shown = [text.get_text() for text in drawn]
    assert "lymphocyte/\nslide03_cell01" in shown
    assert [text for text in shown if text.startswith("without") and text.endswith("005")]


def leakage(**values):
    rows = []
    for protocol, (train, validation) in values.items():
        for against, share in (("train", train), ("validation", validation)):
            row = {"dataset": "d", "dataset_title": "D", "protocol": protocol}
            row |= {"protocol_title": protocol.upper(), "against": against, "copy": 1}
            rows.append(row | {"copy_share": share, "subject_share": np.nan})
    return pd.DataFrame(rows)


def test_shares_are_drawn_as_they_are():
    figure = audits.leakage_shares(leakage(a=(0.25, 0.75), b=(0.0, 0.0), c=(1.0, 0.5)))
    copy, subject = figure.axes
    assert [bar.get_width() for bar in copy.patches] == [0.25, 0.0, 1.0]
    assert copy.lines[0].get_xdata().tolist() == [0.75, 0.0, 0.5]
    assert [text.get_text() for text in copy.texts] == ["25", "0", "100"]
    assert [text.get_text() for text in subject.texts] == ["unknown"] * 3
    assert [label.get_text() for label in copy.get_yticklabels()] == ["D\nA", "D\nB", "D\nC"]
    # No label covers the mark of validation.
    assert copy.texts[0].get_position()[0] > 0.75


def test_figure_of_shares_is_written_from_the_table(tmp_path):
    leakage(a=(0.125, 0.5)).to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    paths = [tmp_path / f"f.{ending}" for ending in ("pdf", "svg", "png")]
    audits.plot_leakage(tmp_path / "t.tsv", paths)
    assert ">12.5</text>" in paths[1].read_text()
    assert imread(paths[2]).shape[1] == pytest.approx(180 / 25.4 * style.PNG_RESOLUTION, abs=1)
