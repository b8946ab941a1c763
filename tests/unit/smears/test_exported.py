"""Exports that are opened, refused and asked for predictions."""

import json

import numpy as np
import pytest
from support.small_exports import MIDDLES, SLOPES, write_export

from blastfold.core.errors import InputError
from blastfold.smears.exported import open_export, predict


def test_predictions_are_those_of_the_formula(tmp_path):
    model = open_export(write_export(tmp_path / "export"))
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    found = predict(model, images)
    red = images[..., 0].mean(axis=(1, 2))
    logits = np.array([s * (red - m) for s, m in zip(SLOPES, MIDDLES, strict=True)])
    np.testing.assert_allclose(
        found.probabilities[:, 1], (1 / (1 + np.exp(-logits))).mean(axis=0), atol=1e-5
    )
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-12)
    # A temperature of 2 halves the logit.
    np.testing.assert_allclose(found.calibrated, 1 / (1 + np.exp(-logits / 2)), atol=1e-5)
    # Noise has the mean colour of no training image.
    assert (found.distances > 1).all()
    assert predict(model, images[:0]).probabilities.shape == (0, 2)


def change(folder, **keys):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_what_is_no_usable_export_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"'.*nothing' is not the folder of an exported network"):
        open_export(tmp_path / "nothing")
    folder = write_export(tmp_path / "export")
    with pytest.raises(InputError, match=r"no threshold 'youden'; expected one of threshold-0\.5"):
        open_export(folder, "youden")
    change(folder, image={"size": [48, 32], "crop": None})
    with pytest.raises(InputError, match=r"fold-0\.onnx: does not take images of 48 x 32 pixels"):
        open_export(folder)
    change(folder, note="not_in_onnx:ValueError")
    with pytest.raises(InputError, match="has no valid ONNX file"):
        open_export(folder)
    (folder / "model.json").write_text("[1, 2")
    with pytest.raises(InputError, match=r"model\.json cannot be read"):
        open_export(folder)
    (folder / "model.json").write_text("{}")
    with pytest.raises(InputError, match=r"the keys \['classes', .* are missing"):
        open_export(folder)


def test_changed_and_missing_files_of_an_export_are_named(tmp_path):
    folder = write_export(tmp_path / "export")
    (folder / "domain.npz").write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(InputError, match=r"domain\.npz: is not the description"):
        open_export(folder)
    (folder / "domain.npz").unlink()
    (folder / "training_images.tsv").unlink()
    # An export of an older version has neither.
    model = open_export(folder)
    assert np.isnan(predict(model, np.zeros((1, 32, 32, 3), np.uint8)).distances).all()
    graph = folder / "networks" / "fold-1.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(InputError, match=r"fold-1\.onnx: was changed after the export"):
        open_export(folder)
    graph.unlink()
    with pytest.raises(InputError, match=r"fold-1\.onnx: does not exist"):
        open_export(folder)
