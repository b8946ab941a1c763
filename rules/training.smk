rule extract_features:
    input:
        unpack(experiment.training.feature_start),
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        dataset="<results>/datasets/{dataset}/dataset.json",
        # A split that may not leak stops here; a new audit of the same split does nothing.
        leakage=ancient(experiment.training.feature_leakage),
    output:
        features=feature_folder("<results>/features/{dataset}/{features}/{split}"),
    log:
        "<logs>/extract_features/{dataset}/{features}/{split}.log",
    benchmark:
        "<benchmarks>/extract_features/{dataset}/{features}/{split}.tsv"
    priority: TRAINED_EARLY
    conda:
        "../envs/training.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=int(TRAINS_ON_GPU),
        mem_mb=memory(14000, of_arrays=0.5),
        runtime=training_time(experiment.training.extraction_passes, TRAINS_ON_GPU),
    params:
        features=experiment.training.feature_settings,
        image_source=experiment.training.image_source,
        job=experiment.training.extraction_job,
        place=experiment.training.place,
        packages=pinned("training", "keras", "numpy", "onnxruntime", "tensorflow"),
        code=code_digest("extract_features"),
    message:
        "Extracting features of {wildcards.dataset}: {wildcards.features}"
    script:
        "../workflow/scripts/extract_features.py"


# All folds of a model whose heads alone are trained are one job: starting TensorFlow takes longer
# than training a head.
rule train_heads:
    input:
        unpack(experiment.training.start),
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        dataset="<results>/datasets/{dataset}/dataset.json",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        features=experiment.training.head_features,
        # A split that may not leak stops here; a new audit of the same split trains nothing again.
        leakage=ancient("<results>/folds/{dataset}/{protocol}.leakage.tsv"),
    output:
        heads=directory("<results>/training/{dataset}/{protocol}/{model}/heads"),
        history="<results>/training/{dataset}/{protocol}/{model}/history.tsv",
        predictions="<results>/training/{dataset}/{protocol}/{model}/predictions.tsv",
        layers="<results>/training/{dataset}/{protocol}/{model}/layers.tsv",
        runs="<results>/training/{dataset}/{protocol}/{model}/runs.json",
    log:
        "<logs>/train_heads/{dataset}/{protocol}/{model}.log",
    benchmark:
        "<benchmarks>/train_heads/{dataset}/{protocol}/{model}.tsv"
    wildcard_constraints:
        model=one_of(experiment.runs.head_models),
    conda:
        "../envs/training.yaml"
    threads: config["threads"]
    resources:
        mem_mb=memory(6000, of_arrays=0.1),
        runtime=run_time(60, of_arrays=0.02),
    params:
        model=experiment.training.model_settings,
        image_source=experiment.training.image_source,
        job=experiment.training.heads_job,
        place=experiment.training.place,
        packages=pinned("training", "keras", "numpy", "tensorflow"),
        code=code_digest("train_heads"),
    message:
        "Training the heads of {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}, all folds"
    script:
        "../workflow/scripts/train_heads.py"


# The heads of all permutations are trained side by side; see training/parallel_heads.py.
rule train_permuted_heads:
    input:
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        features=experiment.training.head_features,
        leakage=ancient("<results>/folds/{dataset}/{protocol}.leakage.tsv"),
    output:
        permutations="<results>/permutations/{dataset}/{protocol}/{model}.tsv",
    log:
        "<logs>/train_permuted_heads/{dataset}/{protocol}/{model}.log",
    benchmark:
        "<benchmarks>/train_permuted_heads/{dataset}/{protocol}/{model}.tsv"
    wildcard_constraints:
        model=one_of(experiment.runs.head_models),
    conda:
        "../envs/training.yaml"
    threads: config["threads"]
    resources:
        mem_mb=memory(6000, of_arrays=0.1),
        runtime=run_time(120, of_arrays=0.2),
    params:
        permutations=experiment.training.permutation_count,
        model=experiment.training.model_settings,
        image_source=experiment.training.image_source,
        job=experiment.training.heads_job,
        place=experiment.training.place,
        packages=pinned("training", "keras", "numpy", "tensorflow"),
        code=code_digest("train_permuted_heads"),
    message:
        "Training heads on permuted labels: {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/train_permuted_heads.py"


rule assemble_networks:
    input:
        unpack(experiment.training.start),
        images="<results>/datasets/{dataset}/images.npy",
        dataset="<results>/datasets/{dataset}/dataset.json",
        heads="<results>/training/{dataset}/{protocol}/{model}/heads",
        # Its settings, which a tuned model has chosen in every fold.
        runs="<results>/training/{dataset}/{protocol}/{model}/runs.json",
    output:
        networks=directory("<results>/training/{dataset}/{protocol}/{model}/networks"),
    log:
        "<logs>/assemble_networks/{dataset}/{protocol}/{model}.log",
    wildcard_constraints:
        model=one_of(experiment.runs.head_models),
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=run_time(60),
    params:
        image_source=experiment.training.image_source,
        job=experiment.training.assembly_job,
        place=experiment.training.place,
        code=code_digest("assemble_networks"),
    message:
        "Assembling the networks of {wildcards.model} of {wildcards.dataset}, {wildcards.protocol}, all folds"
    script:
        "../workflow/scripts/assemble_networks.py"


rule train_model:
    input:
        unpack(experiment.training.start),
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        dataset="<results>/datasets/{dataset}/dataset.json",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        # A split that may not leak stops here; a new audit of the same split trains nothing again.
        leakage=ancient("<results>/folds/{dataset}/{protocol}.leakage.tsv"),
        allowed=ancient(experiment.identity.allowed),
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
        model=one_of(experiment.runs.single_models),
    priority: TRAINED_EARLY
    conda:
        "../envs/training.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=int(TRAINS_ON_GPU),
        mem_mb=memory(14000, of_arrays=1.2),
        runtime=training_time(experiment.training.training_passes, TRAINS_ON_GPU),
    params:
        model=experiment.training.model_settings,
        image_source=experiment.training.image_source,
        job=experiment.training.training_job,
        place=experiment.training.place,
        packages=pinned("training", "keras", "numpy", "tensorflow"),
        code=code_digest("train_model"),
    message:
        "Training {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}, fold {wildcards.fold}"
    script:
        "../workflow/scripts/train_model.py"


# The same for networks that learn in less time than TensorFlow takes to start.
rule train_folds:
    input:
        unpack(experiment.training.start),
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        dataset="<results>/datasets/{dataset}/dataset.json",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        # A split that may not leak stops here; a new audit of the same split trains nothing again.
        leakage=ancient("<results>/folds/{dataset}/{protocol}.leakage.tsv"),
    output:
        networks=directory("<results>/training/{dataset}/{protocol}/{model}/networks"),
        history="<results>/training/{dataset}/{protocol}/{model}/history.tsv",
        predictions="<results>/training/{dataset}/{protocol}/{model}/predictions.tsv",
        layers="<results>/training/{dataset}/{protocol}/{model}/layers.tsv",
        runs="<results>/training/{dataset}/{protocol}/{model}/runs.json",
    log:
        "<logs>/train_folds/{dataset}/{protocol}/{model}.log",
    benchmark:
        "<benchmarks>/train_folds/{dataset}/{protocol}/{model}.tsv"
    wildcard_constraints:
        model=one_of(experiment.runs.joint_models),
    priority: TRAINED_EARLY
    conda:
        "../envs/training.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=int(TRAINS_ON_GPU),
        mem_mb=memory(14000, of_arrays=1.2),
        runtime=training_time(experiment.training.training_passes_of_folds, TRAINS_ON_GPU),
    params:
        model=experiment.training.model_settings,
        image_source=experiment.training.image_source,
        job=experiment.training.training_job,
        place=experiment.training.place,
        packages=pinned("training", "keras", "numpy", "tensorflow"),
        code=code_digest("train_folds"),
    message:
        "Training {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}, all folds"
    script:
        "../workflow/scripts/train_folds.py"


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
    resources:
        mem_mb=memory(4000),
        runtime=run_time(20),
    params:
        augmentation=experiment.training.shown_augmentation,
        seed=config["seed"],
        code=code_digest("sample_augmentations"),
    message:
        "Sampling augmented images of {wildcards.dataset}"
    script:
        "../workflow/scripts/sample_augmentations.py"
