"""The decoder of the exported script against that of the import: the same pixels, and refusals."""

import importlib.util

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from support.repository import RESOURCES

from blastfold.images.decoding import decode_image, fit_image
from blastfold.images.limits import ImageError

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (24, 20, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def script():
    place = RESOURCES / "export" / "blastfold_predict.py"
    spec = importlib.util.spec_from_file_location("blastfold_predict", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pillow(mode, **options):
    return lambda path: Image.fromarray(PIXELS).convert(mode).save(path, **options)


def cut(path):
    Image.fromarray(PIXELS).save(path)
    path.write_bytes(path.read_bytes()[:-40])


def with_alpha(value):
    alpha = np.full((24, 20), value, np.uint8)
    return lambda path: Image.fromarray(np.dstack([PIXELS, alpha])).save(path)


READ = {
    "rgb.png": pillow("RGB"),
    "grey.png": pillow("L"),
    "palette.png": pillow("P"),
    "opaque.png": with_alpha(255),
    "rgb.jpg": pillow("RGB"),
    "grey.jpg": pillow("L"),
    "progressive.jpg": pillow("RGB", progressive=True),
    "rgb.bmp": pillow("RGB"),
    "rgb.tif": lambda path: tifffile.imwrite(path, PIXELS, photometric="rgb"),
    "big_endian.tif": lambda path: tifffile.imwrite(path, PIXELS[..., 0], byteorder=">"),
    "no_ending": pillow("RGB", format="PNG"),
}
REFUSED = {
    "cmyk.jpg": pillow("CMYK"),
    "cut.jpg": cut,
    "cut.png": cut,
    "bit.png": pillow("1"),
    "bit.bmp": pillow("1"),
    "cmyk.tif": pillow("CMYK"),
    "pages.tif": lambda path: tifffile.imwrite(path, PIXELS[None].repeat(2, 0), photometric="rgb"),
    "float.tif": lambda path: tifffile.imwrite(path, PIXELS[..., 0].astype(np.float32)),
    "transparent.png": with_alpha(100),
    "gif.png": pillow("RGB", format="GIF"),
    "webp.png": pillow("RGB", format="WEBP"),
    "empty.png": lambda path: path.write_bytes(b""),
    "text.png": lambda path: path.write_text("BM is no picture"),
}


@pytest.mark.parametrize("name", [*READ, *REFUSED])
def test_the_script_reads_what_the_import_reads_and_refuses_what_it_refuses(script, tmp_path, name):
    path = tmp_path / name
    (READ | REFUSED)[name](path)
    image = {"size": [16, 12], "crop": [20, 18]}
    if name in READ:
        expected = fit_image(decode_image(path), (16, 12), (20, 18))
        assert np.array_equal(script.read_image(path, image), expected)
        return
    with pytest.raises(ImageError):
        decode_image(path)
    with pytest.raises((ValueError, cv2.error)):
        script.read_image(path, image)
