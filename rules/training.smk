rule train_model:
    input:
        images="results/datasets/{dataset}/images.npy",
        manifest="results/datasets/{dataset}/manifest.tsv",
        dataset="results/datasets/{dataset}/dataset.json",
        folds="results/folds/{dataset}/{protocol}.tsv",
        mean_image="results/mean_images/{dataset}/{protocol}/fold-{fold}.npy",
        weights=start_weights,
        # A split that may not leak stops here; a new audit of the same split trains nothing again.
        leakage=ancient("results/folds/{dataset}/{protocol}.leakage.tsv"),
    output:
        model="results/training/{dataset}/{protocol}/{model}/fold-{fold}/model.keras",
        history="results/training/{dataset}/{protocol}/{model}/fold-{fold}/history.tsv",
        predictions="results/training/{dataset}/{protocol}/{model}/fold-{fold}/predictions.tsv",
        layers="results/training/{dataset}/{protocol}/{model}/fold-{fold}/layers.tsv",
        run="results/training/{dataset}/{protocol}/{model}/fold-{fold}/run.json",
    log:
        "logs/train_model/{dataset}/{protocol}/{model}/fold-{fold}.log",
    benchmark:
        "benchmarks/train_model/{dataset}/{protocol}/{model}/fold-{fold}.tsv"
    conda:
        "../envs/training.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=int(TRAINS_ON_GPU),
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime="8h",
    params:
        model=model_settings,
        seed=config["seed"],
        device=config["device"],
        deterministic=config["deterministic"],
        code=code_digest("fold_training"),
    message:
        "Training {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}, fold {wildcards.fold}"
    script:
        "../workflow/scripts/train_model.py"


rule sample_augmentations:
    input:
        images="results/datasets/{dataset}/images.npy",
        manifest="results/datasets/{dataset}/manifest.tsv",
    output:
        samples="results/datasets/{dataset}/augmented_samples.npz",
    log:
        "logs/sample_augmentations/{dataset}.log",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="20m",
    params:
        augmentation=shown_augmentation,
        seed=config["seed"],
        code=code_digest("augmentation_samples"),
    message:
        "Sampling augmented images of {wildcards.dataset}"
    script:
        "../workflow/scripts/sample_augmentations.py"
