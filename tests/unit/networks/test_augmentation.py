"""Every operation alone, against NumPy, OpenCV and colorsys, eagerly and compiled."""

import colorsys
from dataclasses import replace

import cv2
import keras
import numpy as np
import pytest

from blastfold.core.seeds import generator
from blastfold.core.settings import AugmentationSettings
from blastfold.networks import augmentation as aug
from blastfold.networks import augmentation_samples

SETTINGS = AugmentationSettings(
    flip_up_down=True,
    flip_left_right=True,
    transpose=True,
    brightness=0.1,
    contrast=0.2,
    saturation=0.3,
    hue=0.05,
    crop=0.2,
    rotation=30.0,
    stain_jitter=0.05,
)


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 255, (6, 20, 20, 3)).astype("float32")


def column(draws, name):
    return draws[:, aug.COLUMNS.index(name)]


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def changed_by(images, **columns):
    """Apply draws that leave everything but the given columns as it is."""
    draws = aug.identity_draws(len(images))
    for name, values in columns.items():
        draws[:, aug.COLUMNS.index(name)] = values
    stains = any(name.startswith("stain") for name in columns)
    return numpy(aug.augment(images, draws, stains=stains))


WINDOW = ("crop_height", "crop_width", "crop_top", "crop_left")
CHOSEN = np.array([1, 0, 1, 1, 0, 0], dtype="float32")


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("flip_up_down", lambda image: image[::-1]),
        ("flip_left_right", lambda image: image[:, ::-1]),
        ("transpose", lambda image: image.swapaxes(0, 1)),
    ],
)
def test_flips_and_transpose_equal_numpy(images, operation, expected):
    result = changed_by(images, **{operation: CHOSEN})
    for image, changed, chosen in zip(images, result, CHOSEN, strict=True):
        np.testing.assert_allclose(changed, expected(image) if chosen else image, atol=2e-3)


@pytest.mark.parametrize("up_down", [0, 1])
@pytest.mark.parametrize("left_right", [0, 1])
@pytest.mark.parametrize("swapped", [0, 1])
def test_the_window_is_cut_from_the_mirrored_and_transposed_image(
    images, up_down, left_right, swapped
):
    window = dict(zip(WINDOW, (0.5, 0.25, 0.3, 0.6), strict=True))
    moves = {"flip_up_down": up_down, "flip_left_right": left_right, "transpose": swapped}
    together = changed_by(images, **moves, **window)
    moved = images[:, ::-1] if up_down else images
    moved = moved[:, :, ::-1] if left_right else moved
    moved = moved.swapaxes(1, 2) if swapped else moved
    np.testing.assert_allclose(together, changed_by(moved, **window), atol=1e-2)


@pytest.mark.parametrize("quarters", [1, 2, -1])
def test_rotation_by_right_angles_equals_numpy(images, quarters):
    result = changed_by(images, rotation=quarters * np.pi / 2)
    np.testing.assert_allclose(result, np.rot90(images, quarters, axes=(1, 2)), atol=2e-2)


@pytest.mark.parametrize("degrees", [30, -115])
def test_rotation_carries_a_point_anticlockwise_about_the_centre(degrees):
    """A spot 9 pixels right of the centre is 9 pixels away at that angle (height upwards)."""
    centre, radius = 19.5, 9.0
    rows, columns = np.mgrid[:40, :40]

    def spot(column, row):
        distance = np.hypot(columns - column, rows - row)
        return np.repeat(200 * np.exp(-(distance**2) / 8)[None, ..., None], 3, axis=3)

    angle = np.deg2rad(degrees)
    result = changed_by(spot(centre + radius, centre).astype("float32"), rotation=angle)
    expected = spot(centre + radius * np.cos(angle), centre - radius * np.sin(angle))
    # Interpolation flattens a peak by an eighth of its second derivatives: 200 / 4 / 8, twice.
    assert np.abs(result - expected).max() < 13
    weights = result[0, ..., 0] / result[0, ..., 0].sum()
    place = (weights * columns).sum() - centre, centre - (weights * rows).sum()
    assert place == pytest.approx((radius * np.cos(angle), radius * np.sin(angle)), abs=0.05)


def test_rotation_fills_corners_with_the_mirrored_image(images):
    """Against OpenCV's remap with the border mirrored including its last pixel."""
    angle = np.deg2rad(50)
    across, down = np.meshgrid(*2 * [np.arange(20) - 9.5])
    columns = (np.cos(angle) * across - np.sin(angle) * down + 9.5).astype("float32")
    rows = (np.sin(angle) * across + np.cos(angle) * down + 9.5).astype("float32")
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in images])
    result = changed_by(smooth, rotation=angle)
    for image, changed in zip(smooth, result, strict=True):
        expected = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        # OpenCV interpolates on a grid of 1/32 pixel.
        np.testing.assert_allclose(changed, expected, atol=2)
    bright = changed_by(np.full((6, 20, 20, 3), 200, "float32"), rotation=np.linspace(-3, 3, 6))
    np.testing.assert_allclose(bright, 200, atol=1e-2)


def test_the_window_is_cut_from_the_rotated_image(images):
    window = dict(zip(WINDOW, (0.5, 0.25, 0.3, 0.6), strict=True))
    together = changed_by(images, rotation=np.pi / 2, flip_left_right=1, transpose=1, **window)
    moved = np.rot90(images, axes=(1, 2))[:, :, ::-1].swapaxes(1, 2)
    np.testing.assert_allclose(together, changed_by(moved, **window), atol=2e-2)


def test_stain_jitter_is_that_of_tellez():
    """Stain by stain in double precision: unmixed, scaled, shifted and mixed again."""
    random = np.random.default_rng(5)
    images = random.uniform(12, 255, (6, 20, 20, 3)).astype("float32")
    factors, shifts = random.uniform(0.8, 1.2, (6, 3)), random.uniform(-0.2, 0.2, (6, 3))
    names = ("haematoxylin", "eosin", "dab")
    columns = {f"stain_jitter_factor_{name}": factors[:, place] for place, name in enumerate(names)}
    columns |= {f"stain_jitter_shift_{name}": shifts[:, place] for place, name in enumerate(names)}
    result = changed_by(images, **columns)
    # Ruifrok and Johnston (2001).
    haematoxylin, eosin, dab = [0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]
    for image, changed, factor, shift in zip(images, result, factors, shifts, strict=True):
        density = -np.log((image.reshape(-1, 3).astype("float64") + 1) / 256)
        amounts = np.linalg.solve(np.transpose([haematoxylin, eosin, dab]), density.T)
        scaled = [amounts[place] * factor[place] + shift[place] for place in range(3)]
        mixed = sum(
            np.outer(amount, colour)
            for amount, colour in zip(scaled, (haematoxylin, eosin, dab), strict=True)
        )
        expected = np.clip(256 * np.exp(-mixed) - 1, 0, 255).reshape(20, 20, 3)
        np.testing.assert_allclose(changed, expected, atol=0.02)


def test_stain_jitter_of_zero_strength_changes_nothing(images):
    np.testing.assert_allclose(changed_by(images, stain_jitter_shift_dab=0), images, atol=2e-2)


def test_more_haematoxylin_is_darker_and_bluer():
    purple = np.full((1, 20, 20, 3), (150, 110, 190), "float32")
    changed = changed_by(purple, stain_jitter_shift_haematoxylin=0.2)[0, 0, 0]
    lost = np.log(np.array([151, 111, 191]) / (changed + 1))
    np.testing.assert_allclose(lost, 0.2 * np.array([0.65, 0.70, 0.29]), atol=1e-4)


def test_transpose_leaves_images_that_are_not_square(images):
    narrow = images[:, :, :15]
    np.testing.assert_allclose(changed_by(narrow, transpose=CHOSEN), narrow, atol=2e-3)


def test_brightness_adds(images):
    shift = np.array([-30, 0, 5, 10, 20, 250], dtype="float32")
    expected = np.clip(images + shift[:, None, None, None], 0, 255)
    np.testing.assert_allclose(changed_by(images, brightness=shift), expected, atol=2e-3)


def test_contrast_scales_about_the_channel_mean(images):
    factor = np.linspace(0, 2, 6).astype("float32")
    result = changed_by(images, contrast=factor)
    for image, changed, scale in zip(images, result, factor, strict=True):
        mean = image.astype("float64").mean(axis=(0, 1))
        expected = np.clip(mean + scale * (image - mean), 0, 255)
        np.testing.assert_allclose(changed, expected, atol=2e-3)


def test_saturation_mixes_with_opencv_grey(images):
    factor = np.array([0, 0.5, 1, 1.2, 1.5, 2], dtype="float32")
    result = changed_by(images, saturation=factor)
    for image, changed, scale in zip(images, result, factor, strict=True):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
        expected = np.clip(grey + scale * (image - grey), 0, 255)
        np.testing.assert_allclose(changed, expected, atol=3e-3)


def test_hue_turns_like_colorsys():
    image = np.random.default_rng(1).uniform(60, 190, (1, 4, 4, 3)).astype("float32")
    result = changed_by(image, hue=0.4)[0]
    for before, after in zip(image[0].reshape(-1, 3), result.reshape(-1, 3), strict=True):
        luma, in_phase, quadrature = colorsys.rgb_to_yiq(*before / 255)
        turned = (in_phase + 1j * quadrature) * np.exp(0.4j)
        luma_after, *chroma = colorsys.rgb_to_yiq(*after / 255)
        assert luma_after == pytest.approx(luma, abs=2e-3)
        assert complex(*chroma) == pytest.approx(turned, abs=2e-3)


def test_a_masked_background_stays_black():
    random = np.random.default_rng(4)
    images = random.uniform(60, 190, (4, 24, 24, 3)).astype("float32")
    rows, columns = np.ogrid[:24, :24]
    ground = np.hypot(rows - 11.5, columns - 11.5) > 8
    images[:3, ground] = random.uniform(0, 10, (3, ground.sum(), 3))
    images[3] = 0
    changes = {"brightness": 25, "contrast": 1.2, "saturation": 0.8, "hue": 0.2}
    changes |= dict.fromkeys(aug.STAIN_SHIFTS, -0.1)
    result = changed_by(images, **changes)
    np.testing.assert_array_equal(result[:3, ground], images[:3, ground])
    np.testing.assert_array_equal(result[3], images[3])
    # The cell changes as in an image that shows nothing else.
    contrast = changed_by(images, contrast=1.2)
    for image, changed in zip(images[:3], contrast[:3], strict=True):
        mean = image[~ground].mean(axis=0)
        expected = mean + 1.2 * (image[~ground] - mean)
        np.testing.assert_allclose(changed[~ground], expected, atol=2e-3)
    assert np.abs(result[:3, ~ground] - images[:3, ~ground]).mean() > 10


def test_colours_change_one_after_the_other():
    """Brightness, contrast, saturation and hue together against the four in turn."""
    images = np.random.default_rng(3).uniform(80, 170, (6, 20, 20, 3)).astype("float32")
    changes = {
        "brightness": np.linspace(-20, 20, 6),
        "contrast": np.linspace(0.8, 1.2, 6),
        "saturation": np.linspace(1.3, 0.7, 6),
        "hue": np.linspace(-0.3, 0.3, 6),
    }
    in_turn = images
    for name, values in changes.items():
        in_turn = changed_by(in_turn, **{name: values})
    np.testing.assert_allclose(changed_by(images, **changes), in_turn, atol=5e-3)


def test_crop_equals_opencv_remap(images):
    height, width, top, left = (
        np.array(values, dtype="float32")
        for values in (
            [1, 0.9, 0.8, 0.5, 0.7, 0.95],
            [1, 0.9, 0.6, 0.5, 1.0, 0.85],
            [0, 0.0, 0.2, 0.25, 0.1, 0.05],
            [0, 0.1, 0.4, 0.25, 0.0, 0.15],
        )
    )
    window = dict(zip(WINDOW, (height, width, top, left), strict=True))
    result = changed_by(images, **window)
    place = np.arange(20, dtype="float32")
    for index, image in enumerate(images):
        # Pixel centres: output x + 1/2 of 20 pixels is the same share of the window.
        rows = 20 * (top[index] + height[index] * (place + 0.5) / 20) - 0.5
        columns = 20 * (left[index] + width[index] * (place + 0.5) / 20) - 0.5
        grid_columns, grid_rows = np.meshgrid(columns, rows)
        expected = cv2.remap(
            image, grid_columns, grid_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        # OpenCV interpolates on a grid of 1/32 pixel.
        assert np.abs(result[index] - expected).max() < 255 / 16
        assert np.abs(result[index] - expected).mean() < 2.0
    np.testing.assert_allclose(result[0], images[0], atol=2e-3)


def test_identity_draws_change_nothing(images):
    result = numpy(aug.augment(images, aug.identity_draws(len(images))))
    np.testing.assert_allclose(result, images, atol=2e-3)


def test_result_stays_within_the_intensities():
    images = np.random.default_rng(2).integers(0, 256, (64, 12, 12, 3), dtype=np.uint8)
    strong = replace(SETTINGS, brightness=0.9, contrast=0.9, saturation=0.9)
    result = numpy(aug.augment(images, aug.draw_augmentations(64, strong, 1, 1)))
    assert result.min() >= 0
    assert result.max() <= 255


def test_same_result_eagerly_and_inside_a_compiled_network(images):
    draws = aug.draw_augmentations(len(images), SETTINGS, seed=3, epoch=1)
    stored = images.astype("uint8")
    image = keras.Input((20, 20, 3), dtype="uint8")
    drawn = keras.Input((len(aug.COLUMNS),))
    network = keras.Model([image, drawn], aug.Augmentation(stains=True)([image, drawn]))
    compiled = network.predict([stored, draws], verbose=0)
    eager = numpy(aug.augment(stored, draws, stains=True))
    np.testing.assert_allclose(compiled, eager, atol=1e-3)
    again = aug.Augmentation.from_config(network.layers[-1].get_config())
    assert again.stains


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_images_change_in_single_precision_whatever_the_network_computes_in(images, policy):
    draws = aug.draw_augmentations(len(images), SETTINGS, seed=3, epoch=1)
    image, drawn = keras.Input((20, 20, 3)), keras.Input((len(aug.COLUMNS),))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        network = keras.Model([image, drawn], aug.Augmentation(stains=True)([image, drawn]))
    finally:
        keras.config.set_dtype_policy(before)
    expected = numpy(aug.augment(images, draws, stains=True))
    np.testing.assert_allclose(network.predict([images, draws], verbose=0), expected, atol=1e-3)


def test_an_image_changes_the_same_way_alone_and_in_a_batch(images):
    draws = aug.draw_augmentations(len(images), SETTINGS, seed=3, epoch=1)
    together = numpy(aug.augment(images, draws))
    alone = numpy(aug.augment(images[4:5], draws[4:5]))
    np.testing.assert_allclose(alone[0], together[4], atol=1e-3)


def test_draws_have_the_distribution_of_the_thesis():
    draws = aug.draw_augmentations(20_000, SETTINGS, seed=2022, epoch=1)
    assert column(draws, "flip_up_down").mean() == pytest.approx(0.5, abs=0.02)
    assert column(draws, "flip_left_right").mean() == pytest.approx(0.5, abs=0.02)
    # A uniform draw reaches 0.75 in a quarter of the cases (thesis 4.5).
    assert column(draws, "transpose").mean() == pytest.approx(0.25, abs=0.02)
    assert np.abs(column(draws, "brightness")).max() <= 25.5
    assert column(draws, "contrast").min() >= 0.8
    assert column(draws, "contrast").max() <= 1.2
    lower = column(draws, "crop_top") + column(draws, "crop_height")
    assert lower.max() <= 1 + 1e-6
    assert column(draws, "crop_height").min() >= 0.8
    assert np.corrcoef(draws.T[[0, 1, 2, 3, 4]])[np.triu_indices(5, 1)] == pytest.approx(
        0, abs=0.03
    )


def test_rotation_and_stains_are_drawn_evenly_to_their_limits():
    draws = aug.draw_augmentations(20_000, SETTINGS, seed=2022, epoch=1)
    limits = {"rotation": (0, np.deg2rad(30))}
    limits |= {name: (1, 0.05) for name in aug.STAIN_FACTORS}
    limits |= {name: (0, 0.05) for name in aug.STAIN_SHIFTS}
    for name, (middle, limit) in limits.items():
        drawn = (column(draws, name) - middle) / limit
        assert np.abs(drawn).max() <= 1 + 1e-5
        # Quartiles of an even distribution from -1 to 1.
        np.testing.assert_allclose(np.quantile(drawn, (0.25, 0.5, 0.75)), (-0.5, 0, 0.5), atol=0.03)
    together = np.corrcoef(np.stack([column(draws, name) for name in limits]))
    assert np.abs(together[np.triu_indices(len(limits), 1)]).max() < 0.03


def test_draws_of_the_thesis_do_not_know_of_rotation_and_stains():
    """A later operation is drawn last: these are the eleven columns that came first."""
    draws = aug.draw_augmentations(40, SETTINGS, seed=7, epoch=3)
    first = generator(7, "augmentation", 3).uniform(size=(11, 40))
    np.testing.assert_allclose(column(draws, "hue"), np.pi * 0.1 * (2 * first[6] - 1), rtol=1e-5)
    np.testing.assert_allclose(column(draws, "crop_height"), 1 - 0.2 * first[7], rtol=1e-6)
    assert len(aug.COLUMNS) == 11 + 1 + 6


def test_draws_depend_on_seed_and_epoch_alone():
    first = aug.draw_augmentations(10, SETTINGS, seed=1, epoch=1)
    np.testing.assert_array_equal(first, aug.draw_augmentations(10, SETTINGS, seed=1, epoch=1))
    assert (first != aug.draw_augmentations(10, SETTINGS, seed=1, epoch=2)).any()
    assert (first != aug.draw_augmentations(10, SETTINGS, seed=2, epoch=1)).any()


def test_switching_one_operation_off_leaves_the_others_as_they_were():
    off = AugmentationSettings(*[type(value)(0) for value in SETTINGS.plain().values()])
    np.testing.assert_array_equal(
        aug.draw_augmentations(50, off, seed=1, epoch=1), aug.identity_draws(50)
    )
    assert SETTINGS.changes_anything()
    assert not off.changes_anything()
    with_all = aug.draw_augmentations(50, SETTINGS, seed=1, epoch=1)
    without_hue = aug.draw_augmentations(50, replace(SETTINGS, hue=0), seed=1, epoch=1)
    same = [name for name in aug.COLUMNS if name != "hue"]
    for name in same:
        np.testing.assert_array_equal(column(with_all, name), column(without_hue, name))
    assert (column(without_hue, "hue") == 0).all()


def test_samples_show_every_operation_that_is_switched_on(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    lines = ["image_id\tlabel", *(f"i{number}\t{number % 2}" for number in range(8))]
    (tmp_path / "manifest.tsv").write_text("\n".join(lines))
    augmentation_samples.sample_augmentations(
        tmp_path / "images.npy",
        tmp_path / "manifest.tsv",
        replace(SETTINGS, hue=0, saturation=0, rotation=180.0),
        seed=1,
        samples=tmp_path / "samples.npz",
    )
    with np.load(tmp_path / "samples.npz") as samples:
        names = samples["operations"].tolist()
        assert "colour" not in names
        assert names[-3:] == ["rotation", "stains", "all"]
        for name in ("rotation", "stains"):
            shown = samples["augmented"][:, names.index(name)]
            assert (shown != samples["original"]).any(axis=(1, 2, 3)).all()
        flipped = samples["augmented"][:, names.index("flip up-down")]
        np.testing.assert_array_equal(flipped, samples["original"][:, ::-1])
        transposed = samples["augmented"][:, names.index("transpose")]
        np.testing.assert_array_equal(transposed, samples["original"].swapaxes(1, 2))
        assert samples["image_ids"].tolist()[0][1:] in "0246"
