"""Extraction of all tiles of a large slide against bare readers, side by side, and its memory.

Ours makes the tissue mask, measures the sharpness of every tile and writes the archive; the others
decode and throw away. Every tile is kept, which is the most that can be asked. Run with `-s` to see
the measured figures.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import openslide
import pandas as pd
import pytest
import tifffile
from support.repository import SCRIPTS

from blastfold.slides.generated_slide import draw_slide, write_pyramid
from blastfold.slides.tiling import tile_slide

SIDE = 20_000
TILE = 256
ROUNDS = 5
EVERYTHING = {
    "tile_size": TILE,
    "overlap": 0,
    "unit": "pixels",
    "mpp": None,
    "edges": "drop",
    "tissue_threshold": None,
    "minimum_tissue": 0,
    "maximum_pen": 1,
    "minimum_sharpness": 0,
    "when_empty": "error",
}


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A pyramidal JPEG TIFF of 20000 x 20000 pixels: one drawing of tissue many times."""
    path = tmp_path_factory.mktemp("large") / "slide.tif"
    drawing, _ = draw_slide(np.random.default_rng(0), (2048, 2048), 0.5)
    times = -(-SIDE // 2048)
    write_pyramid(path, np.tile(drawing, (times, times, 1))[:SIDE, :SIDE])
    return path


def extract(path, folder, settings, threads):
    outputs = {kind: folder / f"{kind}.part" for kind in ("tiles", "table", "thumbnail")}
    row = {"path": path, "label": "normal", "mpp": None}
    tile_slide("large", row, settings, outputs, threads)
    table = pd.read_csv(outputs["table"], sep="\t")
    for output in outputs.values():
        output.unlink()
    return len(table), table["kept"].sum()


def rate(function, *arguments):
    """Tiles per second."""
    start = time.perf_counter()
    tiles = function(*arguments)
    return tiles / (time.perf_counter() - start)


def read_segments(path):
    with tifffile.TiffFile(path) as tiff:
        return sum(1 for _ in tiff.pages[0].segments())


def read_regions(path):
    """Every sixth row of tiles, for the sake of time."""
    count = 0
    with openslide.OpenSlide(path) as opened:
        for y in range(0, SIDE - TILE + 1, 6 * TILE):
            for x in range(0, SIDE - TILE + 1, TILE):
                opened.read_region((x, y), 0, (TILE, TILE))
                count += 1
    return count


def extract_all(path, folder):
    found, kept = extract(path, folder, EVERYTHING, os.cpu_count())
    assert found == kept == (SIDE // TILE) ** 2
    return kept


def test_extraction_is_faster_than_openslide_and_near_bare_decoding(slide, tmp_path):
    rates = []
    for _ in range(ROUNDS):
        bare = rate(read_segments, slide)
        rates.append((rate(extract_all, slide, tmp_path), bare, rate(read_regions, slide)))
    ours, segments, regions = np.array(rates).T
    # Within a round, all three meet about the same other work on the machine.
    to_segments, to_openslide = np.median(ours / segments), np.median(ours / regions)
    print(
        f"\ntiles a second: ours {np.median(ours):.0f} (mask, sharpness and archive included), "
        f"tifffile's segments() {np.median(segments):.0f}, OpenSlide's read_region "
        f"{np.median(regions):.0f}; {to_segments:.2f} times segments(), {to_openslide:.1f} times "
        f"OpenSlide, on {os.cpu_count()} cores"
    )
    assert to_openslide >= 4
    assert to_segments >= 0.6


CHILD = """
import resource, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from test_slide_extraction import EVERYTHING, extract
found, kept = extract(sys.argv[3], Path(sys.argv[4]), EVERYTHING | eval(sys.argv[5]), 2)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
status = Path("/proc/self/status")
if status.exists():
    # ru_maxrss begins with the parent's memory; this begins with the process itself.
    peak = int(status.read_text().split("VmHWM:")[1].split()[0])
print(found, kept, peak)
"""


def peak_memory(path, folder, changes):
    """Tile a slide in a process of its own; MB at the peak, imports included."""
    arguments = [str(SCRIPTS), str(Path(__file__).parent), str(path), str(folder), repr(changes)]
    run = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    _, kept, kilobytes = map(int, run.stdout.split())
    assert kept > 0
    # macOS counts in bytes.
    return kilobytes / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.fixture(scope="module")
def wide_slide(tmp_path_factory):
    """A slide of 150000 x 5120 pixels without a pyramid, so that all has to come from level 0."""
    path = tmp_path_factory.mktemp("wide") / "slide.tif"
    drawing, _ = draw_slide(np.random.default_rng(0), (TILE, TILE), 0.5)
    one = path.with_suffix(".one.tif")
    options = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    tifffile.imwrite(one, drawing, **options)
    shape = (5120, 150_000, 3)
    with tifffile.TiffFile(one) as tiff:
        page = tiff.pages[0]
        encoded = one.read_bytes()[page.dataoffsets[0] :][: page.databytecounts[0]]
        assert page.jpegtables is None
    count = -(-shape[0] // TILE) * -(-shape[1] // TILE)
    options |= {"shape": shape, "dtype": np.uint8, "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, (encoded for _ in range(count)), resolution=(20_000, 20_000), **options)
    return path


def test_memory_stays_under_a_gigabyte(slide, wide_slide, tmp_path):
    shrunk = {"mpp": 2.0, "tile_size": 512, "overlap": 256}
    overlapping = {"tile_size": 512, "overlap": 99}
    peaks = {
        "20000 x 20000, tiles as they are": peak_memory(slide, tmp_path, {}),
        "20000 x 20000, overlapping": peak_memory(slide, tmp_path, overlapping),
        "150000 x 5120 without pyramid, shrunk": peak_memory(wide_slide, tmp_path, shrunk),
    }
    for name, peak in peaks.items():
        print(f"\npeak memory, {name}: {peak:.0f} MB", end="")
    assert max(peaks.values()) < 1000
