"""Predict a folder of cell images with an exported network; needs no Blastfold.

    pip install numpy onnxruntime opencv-python-headless
    python blastfold_predict.py IMAGES > predictions.csv

No code from any file is run. A row has the probabilities (mean over the networks), that of the
positive classes after temperature scaling, and the class at the threshold; see model_card.md.
"""

import argparse
import csv
import hashlib
import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
READ = (
    rb"(?s)\x89PNG.{20}[^\x01]|BM.{26}[^\x01]|\xff\xd8\xff.*\xff[\xc0-\xc2]..\x08....[\x01\x03].*"
    rb"\xff\xda.*\xff\xd9|(II|MM)(?!.*(\x06\x01\x03\0\x01\0\0\0\x05\0|\x02\x01\x03\0\x01\0\0\0\x01\0))"
)


def read_image(path, image):
    """Decode a file as Blastfold does (no CMYK, 1 bit, cut JPEG): uint8 (height, width, 3), RGB."""
    data = np.frombuffer(content := path.read_bytes(), np.uint8)
    pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED)[1] if re.match(READ, content) else ()
    opaque = [p for p in pages if p.shape[2:] != (4,) or p[..., 3].min() == np.iinfo(p.dtype).max]
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH
    if len(pages) != 1 or not opaque or (pixels := cv2.imdecode(data, flags)) is None:
        raise ValueError("damaged, transparent, or no PNG, JPEG, BMP or TIFF that Blastfold reads")
    if pixels.dtype == np.uint16 and pixels.max() >= 4096:
        pixels = np.round(pixels / 257).astype(np.uint8)
    height, width = image["crop"] or pixels.shape[:2]
    top, left = pixels.shape[0] - height, pixels.shape[1] - width
    if pixels.dtype != np.uint8 or top < 0 or left < 0:
        raise ValueError(f"white of {pixels.dtype} is unknown, or smaller than {height} x {width}")
    pixels = pixels[top // 2 : top // 2 + height, left // 2 : left // 2 + width]
    smaller = np.minimum(image["size"], pixels.shape[:2])[::-1].tolist()
    pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, image["size"][::-1], interpolation=cv2.INTER_LINEAR)


def open_graph(name, digest):
    """Open an ONNX file of this folder whose bytes are those that were compared with Keras."""
    content = (path := HERE / "networks" / Path(name).name).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise SystemExit(f"{path}: was changed after the export; expected SHA-256 {digest}")
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def predict(networks, image, positive):
    """Return probabilities of the classes, (classes,), and that of the positive ones, scaled."""
    plain, scaled = [], []
    for network in networks:
        values = image[None]
        for session in network["sessions"]:
            values = session.run(None, {session.get_inputs()[0].name: values})[0]
        values = values[0].astype(np.float64)
        plain.append(np.array([1 - values[0], values[0]]) if len(values) == 1 else values)
        together = np.array([plain[-1][~positive].sum(), plain[-1][positive].sum()])
        power = np.clip(together, 1e-300, 1) ** (1 / network["temperature"])
        scaled.append(power[1] / power.sum())
    return np.mean(plain, axis=0), np.mean(scaled)


def main():
    """Print one row per image; name files that are left out on the error output."""
    model = json.loads((HERE / "model.json").read_text("utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="a folder, searched with its sub-folders")
    parser.add_argument("--threshold", choices=sorted(model["thresholds"]), default="threshold-0.5")
    options = parser.parse_args()
    if model["note"]:
        raise SystemExit("This export has no valid ONNX file; model_card.md gives the reason.")
    for network in (networks := model["networks"]):
        network["sessions"] = [open_graph(*graph) for graph in network["graphs"].items()]
    classes, threshold = model["classes"], model["thresholds"][options.threshold]
    table, names = csv.writer(sys.stdout), [f"probability_{name}" for name in classes]
    positive, found = np.isin(classes, named := model.get("positive", classes[-1:])), 0
    table.writerow(["file", *names, f"scaled_probability_{' + '.join(named)}", "predicted"])
    for path in sorted(path for path in options.images.rglob("*") if not path.is_dir()):
        try:
            plain, scaled = predict(networks, read_image(path, model["image"]), positive)
        except (ValueError, OSError, cv2.error) as error:
            print(f"{path}: left out: {error}", file=sys.stderr)
            continue
        label = np.where(positive == (plain[positive].sum() >= threshold), plain, -1).argmax()
        found = table.writerow([path.relative_to(options.images), *plain, scaled, classes[label]])
    sys.exit(None if found else f"{options.images}: not a folder of readable images")


if __name__ == "__main__":
    main()
