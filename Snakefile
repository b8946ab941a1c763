from snakemake.utils import min_version

min_version("9.19")


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/targets.smk"
include: "rules/datasets.smk"
include: "rules/detection.smk"
include: "rules/slides.smk"
include: "rules/derived.smk"
include: "rules/locked.smk"
include: "rules/folds.smk"
include: "rules/stain.smk"
include: "rules/pretraining.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/external.smk"
include: "rules/attribution.smk"
include: "rules/export.smk"
include: "rules/smears.smk"
include: "rules/smear_pages.smk"
include: "rules/audits.smk"
include: "rules/comparison.smk"
include: "rules/classes.smk"
include: "rules/ablation.smk"
include: "rules/costs.smk"
include: "rules/publication.smk"
include: "rules/page.smk"


# Snakemake takes its default target from this file alone, never from an included one.
rule all:
    input:
        every("tables"),
        every("figures"),
        experiment.targets.publication(),
        experiment.targets.page(),
        experiment.exports.of_config(),
        experiment.smears.of_every_run(),
    localrule: True
