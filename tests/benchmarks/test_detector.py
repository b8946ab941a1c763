"""The leukocyte detector: how many cells of generated smears it finds, its speed, and its memory.

Speed is the processor time of the search, its scale and its decoding included, as a multiple of
that of bare decoding. Run with `-s` to see the figures. BLASTFOLD_BENCHMARK_SMEARS=<number> changes
the number of smears, BLASTFOLD_BENCHMARK_SIDE=<pixels> the side of the slide.
"""

import os
import resource
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import tifffile
from support.smears import write_image
from support.touching_smears import draw_smear

from blastfold.cells.detection import search_files
from blastfold.cells.truth import compare_with_positions
from blastfold.core.names import LEUKOCYTES
from blastfold.images.decoding import one_opencv_thread

SMEARS = int(os.environ.get("BLASTFOLD_BENCHMARK_SMEARS", "30"))
SIDE = int(os.environ.get("BLASTFOLD_BENCHMARK_SIDE", "20000"))
MOST_TIMES = {(480, 640): 12, (1944, 2592): 13}
MOST_BYTES = 2e9
TILE = 512


def judge(searched, centres, reach):
    """Return the numbers of cells found, of those missed, and of false detections."""
    totals = np.zeros(3, int)
    for one, known in zip(searched, centres, strict=True):
        places = [(cell.x, cell.y) for cell in one.cells if cell.set_aside in LEUKOCYTES]
        totals += [len(part) for part in compare_with_positions(places, known, reach)]
    return totals


@pytest.mark.parametrize("scale", [4.4, 7.6, 13.2])
def test_generated_leukocytes_are_found_at_three_scales(tmp_path, scale):
    drawn = [draw_smear(100 + number, scale) for number in range(SMEARS)]
    files = [tmp_path / f"{number}.png" for number in range(SMEARS)]
    for file, (picture, _) in zip(files, drawn, strict=True):
        write_image(file, picture)
    searched = search_files(files, report=None)
    found, missed, false = judge(searched, [centres for _, centres in drawn], 3 * scale)
    print(
        f"\n{scale} pixels per micrometre: recall {found / (found + missed):.4f}, precision "
        f"{found / (found + false):.4f} of {found + missed} leukocytes; red cells measured "
        f"{searched[0].scale.diameter:.1f}, drawn about {7.4 * scale:.1f} pixels"
    )
    assert found >= 0.99 * (found + missed)
    assert found >= 0.99 * (found + false)


@pytest.mark.parametrize(("size", "scale"), [((480, 640), 12.5), ((1944, 2592), 12.5)])
def test_photographs_are_searched_within_some_times_the_decoding(tmp_path, size, scale):
    field = tuple(length / scale for length in size)
    many = size[0] < 1000
    number, cells = (120, (1, 0)) if many else (6, (8, 2))
    pictures = [draw_smear(n, scale, field, *cells)[0] for n in range(6 if many else 2)]
    files = [tmp_path / f"{n}.jpg" for n in range(number)]
    for n, file in enumerate(files):
        write_image(file, pictures[n % len(pictures)], cv2.IMWRITE_JPEG_QUALITY, 90)
    with one_opencv_thread():
        started = time.process_time()
        for file in files:
            cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        bare = time.process_time() - started
    started = time.process_time()
    search_files(files, report=None)
    used = time.process_time() - started
    print(
        f"\n{size[1]} x {size[0]}: {number / used:.0f} photographs per second of one core, "
        f"{used / bare:.1f} times the bare decoding ({1000 * bare / number:.1f} ms each)"
    )
    assert used < MOST_TIMES[size] * bare


def test_a_large_slide_takes_little_memory_and_counts_every_cell_once(tmp_path):
    picture, centres = draw_smear(1, 4.4, (280, 280), 40, 6)
    # The smear is repeated with mirror images, so that no cell is cut where two meet.
    mirrored = np.concatenate([picture, picture[:, ::-1]], axis=1)
    block = np.concatenate([mirrored, mirrored[::-1]], axis=0)
    across, down = block.shape[1], block.shape[0]

    def tiles():
        for y in range(0, SIDE, TILE):
            rows = np.arange(y, y + TILE) % down
            for x in range(0, SIDE, TILE):
                yield block[rows][:, np.arange(x, x + TILE) % across]

    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            tiles(),
            **{"shape": (SIDE, SIDE, 3), "dtype": np.uint8, "tile": (TILE, TILE)},
            **{"photometric": "rgb", "compression": "jpeg", "metadata": None},
        )
    height, width = picture.shape[:2]
    known = _repeated(centres, width, height)
    code = (
        "import sys, numpy as np; from blastfold.cells.detection import search_files\n"
        "one, = search_files([sys.argv[1]], report=None)\n"
        "np.save(sys.argv[2], [(c.x, c.y) for c in one.cells if c.set_aside == ''])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [sys.executable, "-c", code, path, tmp_path / "found.npy"]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    places = np.load(tmp_path / "found.npy")
    # Cells cut by the edge of the slide are not compared.
    inside = ((places > 60) & (places < SIDE - 60)).all(axis=1)
    known_inside = ((known > 60) & (known < SIDE - 60)).all(axis=1)
    compared = _compare_in_strips(places[inside], known[known_inside])
    print(
        f"\n{SIDE} x {SIDE} pixels: {known_inside.sum()} leukocytes, {compared[1]} missed, "
        f"{compared[2]} false or counted twice; {usage.ru_maxrss / 2**20:.2f} GB at most, "
        f"{usage.ru_utime - before:.0f} s of processor time"
    )
    assert usage.ru_maxrss * 1024 < MOST_BYTES
    assert compared[1] <= 0.01 * known_inside.sum()
    assert compared[2] <= 0.01 * known_inside.sum()


def _repeated(centres, width, height):
    """Return the places of the cells of a smear and its mirror images all over the slide."""
    x = np.concatenate([centres[:, 0], 2 * width - 1 - centres[:, 0]])
    y = np.concatenate([centres[:, 1]] * 2)
    both = np.column_stack([np.concatenate([x, x]), np.concatenate([y, 2 * height - 1 - y])])
    steps = [
        (2 * width * column, 2 * height * row)
        for column in range(SIDE // (2 * width) + 1)
        for row in range(SIDE // (2 * height) + 1)
    ]
    return np.concatenate([both + step for step in steps])


def _compare_in_strips(places, known):
    """Compare within strips of equal height: the pairing of all cells at once would be large."""
    totals = np.zeros(3, int)
    for top in range(0, SIDE, 500):
        part, of = (p[(p[:, 1] >= top) & (p[:, 1] < top + 500)] for p in (places, known))
        totals += [len(one) for one in compare_with_positions(part, of, 14)]
    return totals
