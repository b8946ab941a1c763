# The stages that can be asked for by name, each with what it needs.


localrules:
    datasets,
    tiles,
    folds,
    models,
    tables,
    figures,
    publication,


rule datasets:
    input:
        experiment.targets.datasets(),


rule tiles:
    input:
        experiment.targets.tiles(),


rule folds:
    input:
        experiment.targets.folds(),


rule models:
    input:
        experiment.targets.models(),


rule tables:
    input:
        every("tables"),


rule figures:
    input:
        every("figures"),


rule publication:
    input:
        experiment.targets.publication(),
