# Trained networks for use elsewhere: Keras and ONNX files, a model card, a script that predicts.
rule export_networks:
    input:
        networks=experiment.exports.networks,
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        dataset="<results>/datasets/{dataset}/dataset.json",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        predictions="<results>/evaluation/{dataset}/{protocol}/{model}/predictions.tsv",
        fitted="<results>/evaluation/{dataset}/{protocol}/{model}/fitted.json",
        measures="<results>/datasets/{dataset}/measures.tsv",
        sources=experiment.exports.sources,
    output:
        networks=directory("<results>/export/{dataset}/{protocol}/{model}/{networks}/networks"),
        description="<results>/export/{dataset}/{protocol}/{model}/{networks}/model.json",
        domain="<results>/export/{dataset}/{protocol}/{model}/{networks}/domain.npz",
        training_images=(
            "<results>/export/{dataset}/{protocol}/{model}/{networks}/training_images.tsv"
        ),
    log:
        "<logs>/export_networks/{dataset}/{protocol}/{model}/{networks}.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=memory(8000),
        runtime=run_time(60),
    params:
        fold=experiment.exports.fold,
        about=experiment.exports.about,
        positive=experiment.inputs.positive_classes,
        crop=experiment.exports.crop,
        micrometres=experiment.exports.micrometres,
        packages=pinned("training", "keras", "numpy", "onnx", "onnxruntime", "tensorflow"),
        code=code_digest("export_networks"),
    message:
        "Exporting {wildcards.model} of {wildcards.dataset}, {wildcards.protocol}: {wildcards.networks}"
    script:
        "../workflow/scripts/export_networks.py"


rule describe_export:
    input:
        description="<results>/export/{dataset}/{protocol}/{model}/{networks}/model.json",
        datasets="<results>/datasets/{dataset}/dataset.json",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        leakage="<results>/folds/{dataset}/{protocol}.leakage.tsv",
        runs="<results>/evaluation/{dataset}/{protocol}/{model}/runs.json",
        layers="<results>/evaluation/{dataset}/{protocol}/{model}/layers.tsv",
        metrics="<results>/evaluation/{dataset}/{protocol}/{model}/metrics.tsv",
        intervals="<results>/evaluation/{dataset}/{protocol}/{model}/intervals.tsv",
        script=ancient(workflow.source_path("../resources/export/blastfold_predict.py")),
    output:
        card=reported(
            "<results>/export/{dataset}/{protocol}/{model}/{networks}/model_card.md",
            caption="../workflow/report/model_card.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Model card", "protocol": "{protocol}", "model": "{model}"},
        ),
        script="<results>/export/{dataset}/{protocol}/{model}/{networks}/blastfold_predict.py",
        titles="<results>/export/{dataset}/{protocol}/{model}/{networks}/titles.json",
    log:
        "<logs>/describe_export/{dataset}/{protocol}/{model}/{networks}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        # Functions, because Snakemake takes a brace in a plain parameter for a wildcard.
        experiment=experiment.shown.config_of_run,
        asked=experiment.exports.asked_run,
        expected=experiment.inputs.expected,
        resources=resource_digests("export/blastfold_predict.py"),
        code=code_digest("describe_export"),
    message:
        "Writing the model card of {wildcards.model} of {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/describe_export.py"
