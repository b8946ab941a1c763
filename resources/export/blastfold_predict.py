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
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


def read_image(path, image):
    """Decode a file as Blastfold does: uint8 (height, width, 3), RGB, of the network's size."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if not data.size or (stored := cv2.imdecode(data, cv2.IMREAD_UNCHANGED)) is None:
        raise ValueError("not a PNG, JPEG, BMP or TIFF image, or damaged")
    if stored.shape[2:] == (4,) and stored[..., 3].min() < np.iinfo(stored.dtype).max:
        raise ValueError("transparent image")
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH)
    if pixels.dtype == np.uint16 and pixels.max() >= 4096:
        pixels = np.round(pixels / 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise ValueError(f"samples of type {pixels.dtype} whose white is not known")
    if image["crop"]:
        (height, width), (top, left) = image["crop"], np.subtract(pixels.shape[:2], image["crop"])
        if top < 0 or left < 0:
            raise ValueError(f"{pixels.shape[:2]} pixels, expected at least {image['crop']}")
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
        # The positive classes against the rest; of two classes these are the classes themselves.
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
    named = model.get("positive", classes[-1:])
    positive = np.isin(classes, named)
    table.writerow(["file", *names, f"scaled_probability_{' + '.join(named)}", "predicted"])
    for path in sorted(p for p in options.images.rglob("*") if p.suffix.lower() in ENDINGS):
        try:
            plain, scaled = predict(networks, read_image(path, model["image"]), positive)
        except ValueError as error:
            print(f"{path}: left out: {error}", file=sys.stderr)
            continue
        called = plain[positive].sum() >= threshold
        label = np.where(positive == called, plain, -1).argmax()
        table.writerow([path.relative_to(options.images), *plain, scaled, classes[label]])


if __name__ == "__main__":
    main()
