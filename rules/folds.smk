rule assign_folds:
    input:
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
    output:
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    log:
        "<logs>/assign_folds/{dataset}/{protocol}.log",
    conda:
        "../envs/folds.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="20m",
    params:
        protocol=experiment.inputs.protocol_settings,
        seed=config["seed"],
        code=code_digest("folds.assignment"),
    message:
        "Splitting {wildcards.dataset} by {wildcards.protocol}"
    script:
        "../workflow/scripts/assign_folds.py"


rule audit_split:
    input:
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
        duplicates="<results>/datasets/{dataset}/duplicates.tsv",
    output:
        summary="<results>/folds/{dataset}/{protocol}.leakage.tsv",
        crossings="<results>/folds/{dataset}/{protocol}.crossings.tsv",
    log:
        "<logs>/audit_split/{dataset}/{protocol}.log",
    conda:
        "../envs/folds.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="20m",
    params:
        leakage=experiment.inputs.leakage_rule,
        code=code_digest("leakage.split_audit"),
    message:
        "Looking for leakage in {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/audit_split.py"


# One job for all folds of a split; the number of its files is part of a rule.
for folds, protocols in experiment.training.fold_counts.items():

    rule:
        name:
            f"compute_mean_images_{folds}_folds"
        input:
            images="<results>/datasets/{dataset}/images.npy",
            manifest="<results>/datasets/{dataset}/manifest.tsv",
            folds="<results>/folds/{dataset}/{protocol}.tsv",
        output:
            mean_images=[
                f"<results>/mean_images/{{dataset}}/{{protocol}}/fold-{fold}.npy"
                for fold in range(folds)
            ],
            records=[
                f"<results>/mean_images/{{dataset}}/{{protocol}}/fold-{fold}.json"
                for fold in range(folds)
            ],
        log:
            "<logs>/compute_mean_images/{dataset}/{protocol}.log",
        wildcard_constraints:
            protocol=one_of(protocols),
        conda:
            "../envs/folds.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime="1h",
        params:
            code=code_digest("folds.mean_image"),
        message:
            "Averaging the training images of {wildcards.dataset}, {wildcards.protocol}"
        script:
            "../workflow/scripts/compute_mean_images.py"
