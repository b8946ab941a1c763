"""Where every number comes from: versions, digests, devices, seeds and seconds of each run."""

import os

import blastfold
from blastfold.core.files import digest_settings, write_json
from blastfold.reporting.publication.records import Records, Run


def write_provenance(
    records: Records,
    repository: dict[str, str | bool | None],
    path: str | os.PathLike,
) -> None:
    """Write ``provenance.json``; the same records give the same bytes.

    Args:
        records: Records of the experiment.
        repository: Commit of the workflow (see :mod:`blastfold.experiment.repository`).
        path: JSON file to write.
    """
    write_json(provenance(records, repository), path)


def provenance(records: Records, repository: dict[str, str | bool | None]) -> dict:
    """Return what ``provenance.json`` holds.

    Returns:
        ``workflow`` (name, version, commit, dirty), ``config`` (title, seed, device,
        deterministic, digest of the whole), ``datasets`` (digests and counts by name), ``splits``
        (images of each role by fold), ``runs`` (one entry per training) and ``missing`` (trainings
        that the config asks for and of which there is no record).
    """
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
        "runs": [_describe(run) for run in records.runs],
        "missing": [
            f"{'/'.join(names)}/fold-{fold}"
            for *names, folds in records.missing()
            for fold in folds
        ],
    }


def _describe(run: Run) -> dict:
    record = run.record
    kept = ("device", "platform", "seed", "seconds", "peak_memory_mb", "images")
    sizes = ("parameters", "trainable_parameters", "trained_on")
    return {
        "dataset": run.dataset,
        "protocol": run.protocol,
        "model": run.model,
        "fold": run.fold,
        **{key: record.get(key) for key in (*kept, *sizes)},
        "digests": {**record["digests"], "predictions": record.get("predictions_sha256")},
        "versions": record["versions"],
    }
