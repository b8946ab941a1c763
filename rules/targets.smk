# The stages that can be asked for by name, each with what it needs.


localrules:
    datasets,
    tiles,
    folds,
    models,
    tables,
    figures,


rule datasets:
    input:
        expand(
            "results/datasets/{dataset}/{table}.tsv",
            dataset=DATASETS,
            table=["manifest", "rejected", "duplicates", "groups"],
        ),


rule tiles:
    input:
        expand("results/slides/{slide}/tiles.tsv", slide=SLIDES),
        expand("results/figures/slides/{slide}.png", slide=SLIDES),


rule folds:
    input:
        [f"results/folds/{dataset}/{protocol}.tsv" for dataset, protocol in SPLITS],
        [f"results/folds/{dataset}/{protocol}.leakage.tsv" for dataset, protocol in SPLITS],


rule models:
    input:
        every_fold("model.keras"),
        every_fold("predictions.tsv"),
        external_files("external/{dataset}/{protocol}/{model}/{external}/predictions.tsv"),


rule tables:
    input:
        every_table(),


rule figures:
    input:
        every_figure(),
