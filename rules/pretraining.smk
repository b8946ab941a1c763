rule download_weights:
    output:
        weights="resources/weights/{architecture}_imagenet_notop.weights.h5",
        record="resources/weights/{architecture}_imagenet_notop.json",
    log:
        "<logs>/download_weights/{architecture}.log",
    # Compute nodes have no network.
    localrule: True
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    message:
        "Fetching the ImageNet weights of {wildcards.architecture}"
    script:
        "../workflow/scripts/download_weights.py"


# A source task is trained when all splits whose models start from it are audited, so that with
# leakage: forbid an image that is learnt from and tested on stops the run before any training. An
# audit that is made again, or of one target more, trains no source again.
rule allow_source:
    input:
        ancient(experiment.identity.audits_of_targets),
    output:
        touch("<results>/pretraining/{source}/{architecture}.allowed"),
    priority: CHECKED_FIRST
    localrule: True
    message:
        "Audited: what is tested with {wildcards.architecture} of the source task {wildcards.source}"


rule export_backbone:
    input:
        model=experiment.training.of_source("<results>/training/{run}/fold-0/model.keras"),
        run=experiment.training.of_source("<results>/training/{run}/fold-0/run.json"),
        manifest=experiment.training.source_manifest,
        start=experiment.training.source_weights,
    output:
        weights="<results>/pretraining/{source}/{architecture}.weights.h5",
        mean_image="<results>/pretraining/{source}/{architecture}.mean_image.npy",
        record="<results>/pretraining/{source}/{architecture}.json",
    log:
        "<logs>/export_backbone/{source}/{architecture}.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=memory(4000, of_arrays=4),
        runtime=run_time(20),
    params:
        trained=experiment.training.source_run,
        code=code_digest("export_backbone"),
    message:
        "Taking the backbone of {wildcards.architecture} from the source task {wildcards.source}"
    script:
        "../workflow/scripts/export_backbone.py"


rule plot_transfer:
    output:
        figure_files(
            "transfer",
            where="source tasks",
            caption="../workflow/report/transfer.rst",
            category="Training",
            labels={"figure": "From source to target"},
        ),
    log:
        "<logs>/plot_transfer.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        ways=experiment.shown.transfers,
        code=code_digest("plot_transfer"),
    message:
        "Drawing the transfer from source tasks"
    script:
        "../workflow/scripts/plot_transfer.py"
