"""Import of 10,000 images against the bare decoding of the same files, and its memory.

Needs BLASTFOLD_TEST_DATA, a folder with `cnmc2019_sample` (C-NMC 2019, 450x450 PNG). Its images are
copied under new names until there are 10,000, as they are and as JPEG and BMP. Bare decoding reads
and decodes every file with OpenCV in as many threads and keeps nothing. Both run in processes of
their own, in turn, and the ratio is the median of the pairs. Run with `-s` to see the figures;
BLASTFOLD_BENCHMARK_IMAGES=<number> changes the number of images, for a trial of the benchmark.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import pytest
from support.repository import SCRIPTS

IMAGES = int(os.environ.get("BLASTFOLD_BENCHMARK_IMAGES", "10000"))
THREADS = 2
PAIRS = 3

# Each measures itself, so that starting Python and importing OpenCV count for neither.
BARE = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import cv2
import numpy as np

root, threads = Path(sys.argv[1]), int(sys.argv[2])
resize = sys.argv[3] == "resized"
files = sorted(root.rglob("UID_*"))
cv2.setNumThreads(1)

def decode(file):
    image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if resize:
        cv2.resize(image[75:375, 75:375], (96, 96), interpolation=cv2.INTER_AREA)
    return image.shape

start, worked = time.perf_counter(), time.process_time()
with ThreadPoolExecutor(threads) as pool:
    shapes = set(pool.map(decode, files))
measured = {"seconds": time.perf_counter() - start, "work": time.process_time() - worked}
assert shapes == {(450, 450, 3)}, shapes
print(json.dumps({**measured, "images": len(files)}))
"""
IMPORT = """
import json, re, sys, time
from pathlib import Path
from blastfold.datasets.importing import import_dataset

root, threads, target = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
names = {"images": "images.npy", "manifest": "manifest.tsv"}
names |= {"rejected": "rejected.tsv", "summary": "dataset.json"}
outputs = {name: target / file for name, file in names.items()}
settings = {"format": "c-nmc-2019", "image_size": [96, 96], "crop": [300, 300]}
start, worked = time.perf_counter(), time.process_time()
import_dataset("c_nmc", root, settings, None, None, **outputs, threads=threads)
measured = {"seconds": time.perf_counter() - start, "work": time.process_time() - worked}
images = json.loads(outputs["summary"].read_text())["images"]
# Not ru_maxrss, which a process inherits from the one that started it.
memory = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps({**measured, "images": images, "memory": memory}))
"""


def measure(program, *arguments):
    run = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    measured = json.loads(run.stdout.splitlines()[-1])
    assert measured["images"] == IMAGES
    return measured


def write_copies(originals, folder, ending):
    """Write the images again and again under names that the official layout has."""
    for first, path in enumerate(originals):
        content = path.read_bytes()
        if ending != ".png":
            pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
            content = cv2.imencode(ending, pixels)[1].tobytes()
        class_name = path.parent.name
        target = folder / "fold_1" / class_name
        target.mkdir(parents=True, exist_ok=True)
        for number in range(first, IMAGES, len(originals)):
            name = f"UID_{number % 47 + 1}_{number}_1_{class_name}{ending}"
            (target / name).write_bytes(content)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp"])
def test_import_keeps_up_with_bare_decoding(test_data, ending):
    originals = sorted((test_data / "cnmc2019_sample").rglob("*.png"))
    runs = {"bare": [], "resized": [], "import": []}
    # Not tmp_path, whose folders stay: 10,000 BMP take 6 GB.
    with tempfile.TemporaryDirectory() as folder:
        raw, store = Path(folder, "raw"), Path(folder, "store")
        write_copies(originals, raw, ending)
        for _ in range(PAIRS):
            for name in ("bare", "resized"):
                runs[name].append(measure(BARE, raw, THREADS, name))
            runs["import"].append(measure(IMPORT, raw, THREADS, store))
    rate = {name: IMAGES / statistics.median(run["seconds"] for run in runs[name]) for name in runs}
    ratio = {name: paired_ratio(runs, name, "seconds") for name in ("bare", "resized")}
    work = paired_ratio(runs, "bare", "work")
    memory = max(run["memory"] for run in runs["import"])
    print(
        f"\nimport of {IMAGES} {ending} images, {THREADS} threads: {rate['import']:.0f} a second, "
        f"{100 * ratio['bare']:.0f} % of bare decoding by OpenCV ({rate['bare']:.0f}; by processor "
        f"time {100 * work:.0f} %), {100 * ratio['resized']:.0f} % of decoding and shrinking "
        f"({rate['resized']:.0f}); peak memory {memory:.0f} MB"
    )
    assert memory < 600
    assert ratio["bare"] >= 0.85


def paired_ratio(runs, name, measured):
    """Return the rate of the import as a share of another one's: the median of the pairs."""
    pairs = zip(runs[name], runs["import"], strict=True)
    return statistics.median(other[measured] / mine[measured] for other, mine in pairs)
