"""Search for crops in photographs against the bare decoding of the photographs.

260 crops of 257 pixels are looked for in 108 generated photographs of 2592x1944 pixels, the numbers
of ALL-IDB2 and ALL-IDB1. Both run in two threads. The photographs are drawn at half their size and
enlarged, which saves time and changes nothing that is compared. Run with `-s` to see the figures;
BLASTFOLD_BENCHMARK_PHOTOGRAPHS=<number> changes the number, for a trial of the benchmark.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from support.smears import draw_field, photograph, write_image

from blastfold.cells.search import find_crops
from blastfold.images.decoding import one_opencv_thread

PHOTOGRAPHS = int(os.environ.get("BLASTFOLD_BENCHMARK_PHOTOGRAPHS", "108"))
CROPS = round(PHOTOGRAPHS * 260 / 108)
HEIGHT, WIDTH, SIDE, THREADS = 1944, 2592, 257, 2


def draw(folder):
    """Write photographs and crops of their leukocytes; return the files and the truth."""
    random = np.random.default_rng(2022)
    files, crops, truth = [], [], []
    for number in range(PHOTOGRAPHS):
        field, centres = draw_field(random, HEIGHT // 2, WIDTH // 2, 45, 20)
        field = cv2.resize(field, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        picture = photograph(random, field, 0, 0, HEIGHT, WIDTH)
        files.append(folder / f"photograph {number}.jpg")
        picture = write_image(files[-1], picture, cv2.IMWRITE_JPEG_QUALITY, 95)
        places = np.clip(2 * centres - SIDE // 2, 0, (WIDTH - SIDE, HEIGHT - SIDE))
        for left, top in places[: CROPS * (number + 1) // PHOTOGRAPHS - len(crops)].tolist():
            crops.append(folder / f"crop {len(crops)}.png")
            write_image(crops[-1], picture[top : top + SIDE, left : left + SIDE])
            truth.append((number, top, left))
    return files, crops, truth


def decode(file):
    return cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR).shape


def measured(work):
    started, used = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - started, time.process_time() - used


def test_crops_are_found_within_ten_times_the_decoding(tmp_path):
    files, crops, truth = draw(tmp_path)
    with one_opencv_thread(), ThreadPoolExecutor(THREADS) as pool:
        shapes, bare, bare_work = measured(lambda: set(pool.map(decode, files)))
    assert shapes == {(HEIGHT, WIDTH, 3)}
    search, seconds, work = measured(lambda: find_crops(crops, files, THREADS, None))
    print(
        f"\n{len(crops)} crops in {len(files)} photographs, {THREADS} threads: {seconds:.1f} s "
        f"({work:.1f} s of processor time); bare decoding {bare:.1f} s ({bare_work:.1f} s); "
        f"by processor time {work / bare_work:.1f} times as long"
    )
    assert [outcome.match[:3] for outcome in search.outcomes] == truth
    assert search.overlaps == []
    # Processor time, so that a busy machine does not fail it.
    assert work < 10 * bare_work
