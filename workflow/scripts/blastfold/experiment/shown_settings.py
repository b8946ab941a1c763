"""What evaluations, tables and figures must know about runs in addition to their files.

Parameters are plain values: the environments of these rules lack what the check of a config needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from blastfold.core.names import BASELINES, GROUPINGS
from blastfold.experiment.identity import learnt_before
from blastfold.experiment.leak_contrasts import ARMS
from blastfold.experiment.pretraining import source_of
from blastfold.experiment.random_backbones import has_random_backbone
from blastfold.experiment.readings import Readings
from blastfold.experiment.runs import Run, Runs, Split
from blastfold.experiment.transfers import transfers

MACHINE_KEYS = ("device", "other_versions", "measure_speed", "watts")
"""Keys of the config that are about the machine and about no result."""

PLACES = ("path", "photographs")
"""Keys of a data set that say where raw files are, not what is in them."""


@dataclass(frozen=True)
class ShownSettings:
    """Parameters of the rules of evaluation and reporting, most of them by wildcards.

    Attributes:
        runs: The runs of the experiment.
    """

    runs: Runs

    def title(self, wildcards) -> str:
        """Return the titles of a data set, protocol and model, as far as they are wildcards."""
        return ", ".join(self.runs.titles[kind][name] for kind, name in wildcards.items())

    def external_title(self, wildcards) -> str:
        """Return the titles of a data set, protocol and model, and of what they are tested on."""
        names = dict(wildcards.items())
        tested = self.runs.titles["dataset"][names.pop("external")]
        titles = (self.runs.titles[kind][name] for kind, name in names.items())
        return f"{', '.join(titles)}, tested on {tested}"

    def model_title(self, wildcards) -> str:
        """Return the title of a model."""
        return self.runs.titles["model"][wildcards.model]

    def attribution_titles(self, wildcards) -> dict:
        """Return the titles of the explained models by name, and those of the place.

        The place is the data set, the protocol and the tested data set.
        """
        names = (wildcards.dataset, wildcards.protocol, wildcards.external)
        models = self.runs.attribution_at(*names)["models"]
        kinds = zip(("dataset", "protocol", "dataset"), names, strict=True)
        return {
            "models": {name: self.runs.titles["model"][name] for name in models},
            "place": [self.runs.titles[kind][name] for kind, name in kinds],
        }

    def models(self, wildcards) -> list[str]:
        """Return the names of the shown models of a split."""
        return self.runs.models_of(wildcards.dataset, wildcards.protocol)

    def primary(self, wildcards) -> str | None:
        """Return the primary metric of a data set, as far as the config decides it."""
        return self.runs.primary_of(wildcards.dataset)

    def primary_metrics(self, wildcards) -> dict[str, str | None]:
        """Return :meth:`primary` of every data set with networks."""
        return {name: self.runs.primary_of(name) for name in self.runs.datasets}

    def ordered(self, wildcards) -> bool:
        """Return whether the classes of a data set are grades."""
        return bool(self.runs.origin_of(wildcards.dataset).get("ordered"))

    def controls(self, wildcards) -> list[list[str]]:
        """Return the pairs of shown models of a split that are one model under two names."""
        pairs = self.runs.controls_of(wildcards.dataset, wildcards.protocol)
        return [list(pair) for pair in pairs]

    def titled_models(self, wildcards) -> list[tuple[str, str]]:
        """Return names and titles of the shown models of a split."""
        titles = self.runs.titles["model"]
        return [(model, titles[model]) for model in self.models(wildcards)]

    def described(self, choose: Callable[[str], list[Run]]) -> Callable:
        """Return a parameter function: a data set's chosen runs, as :meth:`Runs.described` does."""
        return lambda wildcards: self.runs.described(choose(wildcards.dataset))

    def grouped(self, choose: Callable[[str], list[Run]]) -> Callable:
        """Return a parameter function: model, protocol and group_by of a data set's chosen runs.

        Without titles, which change no estimate.
        """
        keys = ("model", "protocol", "group_by")
        return lambda wildcards: [
            {key: run[key] for key in keys}
            for run in self.runs.described(choose(wildcards.dataset))
        ]

    def repeated(self, wildcards) -> list[dict]:
        """Return the repeated runs of a data set: model, protocol, draws and seeds_alone.

        ``draws`` is a number that protocols share which differ at most in what repeats redraw.
        """
        kinds: list[dict] = []
        found = []
        for run in self.runs.repeated_of(wildcards.dataset):
            kind, seeds_alone = self.runs.draws_of(run.protocol)
            if kind not in kinds:
                kinds.append(kind)
            names = {"model": run.model, "protocol": run.protocol}
            found.append({**names, "draws": kinds.index(kind), "seeds_alone": seeds_alone})
        return found

    def titles_of_repeated(self, wildcards) -> dict[str, dict[str, str]]:
        """Return the titles of a data set's repeated runs, by kind and name."""
        return self._titles_of(self.runs.repeated_of(wildcards.dataset))

    def protocols(self, wildcards) -> dict[str, str]:
        """Return the titles of the protocols of a data set's shown runs, by name."""
        splits = self.runs.splits_of(wildcards.dataset)
        return {split.protocol: self.runs.titles["protocol"][split.protocol] for split in splits}

    def baselines(self, wildcards) -> list[dict[str, str]]:
        """Return the trivial baselines of a data set as runs: model is the baseline's name."""
        return [
            {"protocol": name, "protocol_title": title, "model": model, "model_title": model_title}
            for name, title in self.protocols(wildcards).items()
            for model, model_title in BASELINES.items()
        ]

    def runs_with_baselines(self, wildcards) -> list[dict[str, str]]:
        """Return protocol, model and titles of a data set's shown runs and then of baselines."""
        keys = ("protocol", "protocol_title", "model", "model_title")
        described = self.runs.described(self.runs.shown_of(wildcards.dataset))
        return [{key: run[key] for key in keys} for run in described] + self.baselines(wildcards)

    def titles_of_models(self, wildcards) -> dict[str, str]:
        """Return the titles of the shown models of a split, or of a data set, by name."""
        titles = self.runs.titles["model"]
        models = self.runs.models_of(wildcards.dataset, wildcards.get("protocol"))
        return {model: titles[model] for model in models}

    def titles_of_gap(self, wildcards) -> dict[str, dict[str, str]]:
        """Return the titles of the models and protocols of a data set's gap, by kind and name."""
        return self._titles_of(self.runs.gap_of(wildcards.dataset))

    def _titles_of(self, runs: list[Run]) -> dict[str, dict[str, str]]:
        return {
            kind: {getattr(run, kind): self.runs.titles[kind][getattr(run, kind)] for run in runs}
            for kind in ("protocol", "model")
        }

    def contrasts(self, wildcards) -> list[dict[str, str]]:
        """Return model, contrast, leak and the protocols of the arms of a data set's contrasts."""
        keys = ("model", "contrast", "leak", *ARMS)
        contrasts = self.runs.contrasts_of(wildcards.dataset)
        return [{key: row[key] for key in keys} for row in contrasts]

    def contrast_titles(self, wildcards) -> dict[str, dict[str, str]]:
        """Return the titles of the models and contrasts of a data set, by kind and name."""
        rows = self.runs.contrasts_of(wildcards.dataset)
        models = self.runs.titles["model"]
        return {
            "model": {row["model"]: models[row["model"]] for row in rows},
            "contrast": {row["contrast"]: row["contrast_title"] for row in rows},
        }

    @cached_property
    def splits(self) -> list[tuple[str, str]]:
        """Data set and protocol of every split."""
        return [tuple(split) for split in self.runs.splits]

    @cached_property
    def true_splits(self) -> list[tuple[str, str]]:
        """Data set and protocol of every split of true labels."""
        return [tuple(split) for split in self.runs.true_splits]

    def transfers(self, wildcards) -> list[dict]:
        """Return the ways from start weights to data sets (see :func:`transfers`)."""
        return transfers(self.runs.config)

    def ablation_title(self, wildcards) -> str:
        """Return the title of an ablation."""
        return self.runs.config["ablations"][wildcards.ablation]["title"]

    def ablation_titles(self, wildcards) -> dict:
        """Return the titles of everything that an ablation compares, by kind and name."""
        return self.runs.titles_in(wildcards.ablation)

    def ablation_plan(self, wildcards) -> dict:
        """Return what an ablation compares, as :meth:`Runs.plan_of` does."""
        return self.runs.plan_of(wildcards.ablation)

    def published_config(self, wildcards) -> dict:
        """Return what the publication says of the config; where it ran is in the records."""
        config = {key: value for key, value in self.runs.config.items() if key not in MACHINE_KEYS}
        without_places = {
            kind: {
                name: {key: value for key, value in entry.items() if key not in PLACES}
                for name, entry in config[kind].items()
            }
            for kind in ("datasets", "applications")
        }
        return config | without_places

    def config_of_run(self, wildcards) -> dict:
        """Return what the records of one run are read with: its entries of the config alone."""
        config = self.published_config(wildcards)
        dataset, datasets = wildcards.dataset, {}
        while dataset:
            datasets[dataset] = config["datasets"][dataset]
            dataset = datasets[dataset].get("of")
        model = config["models"][wildcards.model]
        sources = {name: config["pretraining"][name] for name in (source_of(model),) if name}
        tiled = any(entry["format"] == "tiles" for entry in datasets.values())
        return {
            **{key: config[key] for key in ("seed", "deterministic")},
            **({"slides": config["slides"]} if tiled else {}),
            "datasets": datasets,
            "protocols": {wildcards.protocol: config["protocols"][wildcards.protocol]},
            "models": {wildcards.model: model},
            "pretraining": sources,
        }

    @property
    def main_document(self) -> dict[str, str]:
        """Return data set, protocol and model of the manuscript's main document.

        It is the first data set that is not a source task, under the protocol that keeps the
        coarsest groups together; of several the first of the config. What is shown of one model is
        shown of the first one whose backbone is not random and frozen, which its settings decide:
        the choice of the best one would be made on test images.
        """
        splits = [Split(*split) for split in self.runs.true_splits]
        sources = {entry["dataset"] for entry in self.runs.config["pretraining"].values()}
        own = [split for split in splits if split.dataset not in sources] or splits
        protocols = self.runs.config["protocols"]
        same = [split for split in own if split.dataset == own[0].dataset]
        best = max(same, key=lambda split: GROUPINGS.index(protocols[split.protocol]["group_by"]))
        settings = self.runs.config["models"]
        models = sorted(
            self.runs.models_of(*best), key=lambda name: has_random_backbone(settings[name])
        )
        names = {"dataset": best.dataset, "protocol": best.protocol}
        return names | {"model": models[0] if models else ""}

    def publication_titles(self, wildcards) -> dict[str, dict[str, str]]:
        """Return titles and the sentences of captions on readings, by kind and name.

        A function although no wildcard matters: Snakemake takes a brace in a plain parameter for a
        wildcard.
        """
        ablations = self.runs.config["ablations"]
        return {
            **self.runs.titles,
            **Readings(self.runs).captions,
            "ablation": {name: entry["title"] for name, entry in ablations.items()},
        }

    def page(self, wildcards) -> dict:
        """Return what the results page is about in addition to its files.

        Returns:
            title, metric (the declared primary one, or None), metrics (by data set, as far as the
            config decides it), positive (names of
            the positive classes by data set, where the config names them), titles (kind -> name ->
            title), runs (dicts with dataset, protocol, model and group_by), sources (data sets of
            source tasks), generated (data sets of generated images), controls (dicts with dataset,
            protocol and models: one model under two names), external (dicts with dataset, protocol,
            model and external), repeats (by protocol), learnt_before (what start weights learnt
            from, by model) and random_backbones (models whose backbone is never trained).
        """
        runs, config = self.runs, self.runs.config
        names = ("dataset", "protocol", "model")
        return {
            "title": config["title"],
            "metric": config["primary_metric"],
            "metrics": {name: runs.primary_of(name) for name in runs.described_datasets},
            "titles": runs.titles,
            "positive": {
                name: positive
                for name in runs.described_datasets
                if (positive := Readings(runs).positive_of(name))
            },
            "runs": [
                {key: run[key] for key in (*names, "group_by")}
                for run in runs.described(runs.shown)
            ],
            "sources": [entry["dataset"] for entry in config["pretraining"].values()],
            "generated": [name for name in runs.described_datasets if self._is_generated(name)],
            "controls": [
                {"dataset": dataset, "protocol": protocol, "models": list(pair)}
                for dataset, protocol in runs.compared_splits
                for pair in runs.controls_of(dataset, protocol)
            ],
            "external": [{key: run[key] for key in (*names, "external")} for run in runs.external],
            "repeats": {name: entry["repeats"] for name, entry in config["protocols"].items()},
            "learnt_before": self.learnt_before(wildcards),
            "random_backbones": [
                name for name, entry in config["models"].items() if has_random_backbone(entry)
            ],
        }

    def learnt_before(self, wildcards) -> dict[str, list[str]]:
        """Return what models learnt from before, by model; those that start from nothing are out.

        Data sets of source tasks and files of weights (see :mod:`blastfold.experiment.identity`).
        """
        names = dict.fromkeys(run.model for run in self.runs.true)
        found = {name: learnt_before(name, self.runs.config) for name in names}
        return {name: [place for place, _ in rows] for name, rows in found.items() if rows}

    def _is_generated(self, dataset: str) -> bool:
        """Return whether the images of a data set are generated, or made from generated ones."""
        entry = self.runs.config["datasets"][dataset]
        while "of" in entry:
            entry = self.runs.config["datasets"][entry["of"]]
        return entry["format"] == "demo" or (
            entry["format"] == "tiles" and "demo" in self.runs.config["slides"]
        )
