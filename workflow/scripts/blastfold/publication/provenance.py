"""Where every number comes from: versions, digests, devices, seeds and seconds of each run."""

import os
from collections.abc import Iterable
from pathlib import Path

import blastfold
from blastfold.files import digest_file, digest_settings, write_json
from blastfold.publication.records import Records, Run


def write_provenance(
    records: Records,
    predictions: Iterable[str | os.PathLike],
    repository: dict[str, str | bool | None],
    path: str | os.PathLike,
) -> None:
    """Write ``provenance.json``; the same records give the same bytes.

    Args:
        records: Records of the experiment.
        predictions: Files ``{dataset}/{protocol}/{model}/fold-{fold}/predictions.tsv``.
        repository: Commit of the workflow (see :mod:`blastfold.publication.repository`).
        path: JSON file to write.
    """
    write_json(provenance(records, predictions, repository), path)


def provenance(
    records: Records,
    predictions: Iterable[str | os.PathLike],
    repository: dict[str, str | bool | None],
) -> dict:
    """Return what ``provenance.json`` holds.

    Returns:
        ``workflow`` (name, version, commit, dirty), ``config`` (title, seed, device,
        deterministic, digest of the whole), ``datasets`` (digests and counts by name), ``splits``
        (images of each role by fold), ``runs`` (one entry a training) and ``missing`` (trainings
        that the config asks for and of which there is no record).
    """
    paths = [Path(prediction) for prediction in predictions]
    digests = {path.parts[-5:-1]: digest_file(path) for path in paths if path.is_file()}
    config = records.config
    return {
        "workflow": {"name": "blastfold", "version": blastfold.__version__, **repository},
        "config": {
            **{key: config.get(key) for key in ("title", "seed", "device", "deterministic")},
            "sha256": digest_settings(config),
        },
        "datasets": {
            name: {
                key: description.get(key)
                for key in ("format", "images", "subjects", "images_sha256", "manifest_sha256")
            }
            for name, description in records.datasets.items()
        },
        "splits": {
            "/".join(names): {f"fold-{fold}": roles for fold, roles in split.counts.items()}
            for names, split in records.splits.items()
        },
        "runs": [_describe(run, digests) for run in records.runs],
        "missing": [
            f"{'/'.join(names)}/fold-{fold}"
            for *names, folds in records.missing()
            for fold in folds
        ],
    }


def _describe(run: Run, digests: dict[tuple[str, ...], str]) -> dict:
    record = run.record
    place = (run.dataset, run.protocol, run.model, f"fold-{run.fold}")
    kept = ("device", "platform", "seed", "seconds", "peak_memory_mb", "images")
    sizes = ("parameters", "trainable_parameters", "trained_on")
    return {
        "dataset": run.dataset,
        "protocol": run.protocol,
        "model": run.model,
        "fold": run.fold,
        **{key: record.get(key) for key in (*kept, *sizes)},
        "digests": {**record["digests"], "predictions": digests.get(place)},
        "versions": record["versions"],
    }
