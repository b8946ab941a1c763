# The stages that can be asked for by name, each with what it needs.


localrules:
    datasets,
    tiles,
    folds,
    check,
    models,
    tables,
    figures,
    publication,
    export,
    smears,
    locked_test,


rule datasets:
    input:
        experiment.targets.datasets(),


rule tiles:
    input:
        experiment.targets.tiles(),


rule folds:
    input:
        experiment.targets.folds(),


# Everything that can be known before a network is trained.
rule check:
    input:
        experiment.targets.datasets(),
        experiment.targets.folds(),
        "<results>/tables/leakage.md",


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


rule export:
    input:
        experiment.exports.of_request,


rule smears:
    input:
        experiment.smears.of_request,


# Never part of another target: it opens what is locked away.
rule locked_test:
    input:
        experiment.locked.of_request,
