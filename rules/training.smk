# Features that all folds share have no protocol in their place. Where the fold's mean image is
# subtracted no two folds have the same ones; one job extracts them all, so that no fold pays for
# starting TensorFlow. A rule's outputs must be known without its wildcards: one rule per number of
# folds, 0 standing for features that are shared. Snakemake looks through the outputs of all rules
# for every input of every job: no rule where no model needs it.
for FOLDS in [0, *experiment.training.fold_counts] if experiment.training.feature_sets else []:

    rule:
        name:
            f"extract_features_of_{FOLDS}_folds" if FOLDS else "extract_features"
        input:
            images="<results>/datasets/{dataset}/images.npy",
            manifest="<results>/datasets/{dataset}/manifest.tsv",
            dataset="<results>/datasets/{dataset}/dataset.json",
            weights=experiment.training.feature_weights,
            mean_images=experiment.training.feature_mean_images,
            stains=experiment.training.feature_stains,
            folds="<results>/folds/{dataset}/{protocol}.tsv" if FOLDS else [],
            # A split that may not leak stops here; a new audit of the same split does nothing.
            leakage=ancient("<results>/folds/{dataset}/{protocol}.leakage.tsv") if FOLDS else [],
        output:
            features=training_inputs.feature_files("npy", FOLDS),
            record=training_inputs.feature_files("json", FOLDS),
        log:
            f"<logs>/extract_features/{training_inputs.feature_place(FOLDS)}.log",
        benchmark:
            f"<benchmarks>/extract_features/{training_inputs.feature_place(FOLDS)}.tsv"
        wildcard_constraints:
            protocol=one_of(experiment.training.fold_counts.get(FOLDS, [])),
        conda:
            "../envs/training.yaml"
        threads: EXTRACTION_THREADS
        resources:
            gpu=int(TRAINS_ON_GPU),
            mem_mb=lambda wildcards, attempt: 16000 * attempt,
            runtime="8h",
        params:
            features=experiment.training.feature_settings,
            drawn_for=experiment.training.drawn_for,
            run=experiment.training.run_settings,
            code=code_digest("training.features"),
        message:
            "Extracting features of {wildcards.dataset}: {wildcards.features}"
        script:
            "../workflow/scripts/extract_features.py"


# All folds of a model whose heads alone are trained are one job too.
for FOLDS in experiment.training.fold_counts if experiment.training.head_models else []:

    rule:
        name:
            f"train_heads_of_{FOLDS}_folds"
        input:
            images="<results>/datasets/{dataset}/images.npy",
            manifest="<results>/datasets/{dataset}/manifest.tsv",
            dataset="<results>/datasets/{dataset}/dataset.json",
            folds="<results>/folds/{dataset}/{protocol}.tsv",
            weights=experiment.training.weights,
            features=experiment.training.head_features("npy"),
            records=experiment.training.head_features("json"),
            # A split that may not leak stops here; a new audit of the same split trains nothing.
            leakage=ancient("<results>/folds/{dataset}/{protocol}.leakage.tsv"),
        output:
            head=training_inputs.fold_outputs("head.weights.h5", FOLDS),
            history=training_inputs.fold_outputs("history.tsv", FOLDS),
            predictions=training_inputs.fold_outputs("predictions.tsv", FOLDS),
            layers=training_inputs.fold_outputs("layers.tsv", FOLDS),
            run=training_inputs.fold_outputs("run.json", FOLDS),
        log:
            "<logs>/train_heads/{dataset}/{protocol}/{model}.log",
        benchmark:
            "<benchmarks>/train_heads/{dataset}/{protocol}/{model}.tsv"
        wildcard_constraints:
            model=one_of(experiment.training.head_models),
            protocol=one_of(experiment.training.fold_counts.get(FOLDS, [])),
        conda:
            "../envs/training.yaml"
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime="2h",
        params:
            model=experiment.training.model_settings,
            run=experiment.training.head_run_settings,
            code=code_digest("training.heads_job"),
        message:
            "Training the heads of {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}, all folds"
        script:
            "../workflow/scripts/train_heads.py"


rule assemble_model:
    input:
        unpack(experiment.training.start),
        images="<results>/datasets/{dataset}/images.npy",
        head="<results>/training/{dataset}/{protocol}/{model}/fold-{fold}/head.weights.h5",
    output:
        model="<results>/training/{dataset}/{protocol}/{model}/fold-{fold}/model.keras",
    log:
        "<logs>/assemble_model/{dataset}/{protocol}/{model}/fold-{fold}.log",
    wildcard_constraints:
        model=one_of(experiment.training.head_models),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="20m",
    params:
        model=experiment.training.model_settings,
        seed=config["seed"],
        code=code_digest("training.heads_job"),
    message:
        "Assembling {wildcards.model} of {wildcards.dataset}, {wildcards.protocol}, fold {wildcards.fold}"
    script:
        "../workflow/scripts/assemble_model.py"


rule train_model:
    input:
        unpack(experiment.training.start),
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        dataset="<results>/datasets/{dataset}/dataset.json",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        # A split that may not leak stops here; a new audit of the same split trains nothing again.
        leakage=ancient("<results>/folds/{dataset}/{protocol}.leakage.tsv"),
    output:
        model="<results>/training/{dataset}/{protocol}/{model}/fold-{fold}/model.keras",
        history="<results>/training/{dataset}/{protocol}/{model}/fold-{fold}/history.tsv",
        predictions="<results>/training/{dataset}/{protocol}/{model}/fold-{fold}/predictions.tsv",
        layers="<results>/training/{dataset}/{protocol}/{model}/fold-{fold}/layers.tsv",
        run="<results>/training/{dataset}/{protocol}/{model}/fold-{fold}/run.json",
    log:
        "<logs>/train_model/{dataset}/{protocol}/{model}/fold-{fold}.log",
    benchmark:
        "<benchmarks>/train_model/{dataset}/{protocol}/{model}/fold-{fold}.tsv"
    wildcard_constraints:
        model=one_of(experiment.training.image_models),
    conda:
        "../envs/training.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=int(TRAINS_ON_GPU),
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime="8h",
    params:
        model=experiment.training.model_settings,
        drawn_for=experiment.training.drawn_for,
        run=experiment.training.run_settings,
        code=code_digest("training.fold_job"),
    message:
        "Training {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}, fold {wildcards.fold}"
    script:
        "../workflow/scripts/train_model.py"


rule sample_augmentations:
    input:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
    output:
        samples="<results>/datasets/{dataset}/augmented_samples.npz",
    log:
        "<logs>/sample_augmentations/{dataset}.log",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="20m",
    params:
        augmentation=experiment.training.shown_augmentation,
        seed=config["seed"],
        code=code_digest("networks.augmentation_samples"),
    message:
        "Sampling augmented images of {wildcards.dataset}"
    script:
        "../workflow/scripts/sample_augmentations.py"
