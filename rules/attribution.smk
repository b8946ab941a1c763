# Where the networks look: Grad-CAM of a sample of test cells, compared with masks of the cells.


# All models of a split are one job, since starting TensorFlow takes longer than the maps of a small
# network.
rule explain_networks:
    input:
        networks=experiment.files.networks_explained,
        predictions=experiment.files.predictions_explained,
        images="<results>/datasets/{external}/images.npy",
        manifest="<results>/datasets/{external}/manifest.tsv",
        # Masks that do not fit their images stop here, before a network is loaded.
        masks="<results>/datasets/{external}/cells.npz",
    output:
        cells="<results>/attribution/{dataset}/{protocol}/{external}/cells.tsv",
        maps="<results>/attribution/{dataset}/{protocol}/{external}/maps.npz",
        record="<results>/attribution/{dataset}/{protocol}/{external}/record.json",
    log:
        "<logs>/explain_networks/{dataset}/{protocol}/{external}.log",
    benchmark:
        "<benchmarks>/explain_networks/{dataset}/{protocol}/{external}.tsv"
    conda:
        "../envs/training.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=int(TRAINS_ON_GPU),
        mem_mb=memory(14000),
        runtime=run_time(120, of_arrays=0.05),
    params:
        models=experiment.files.models_explained,
        sample=experiment.training.explanation_sample,
        job=experiment.training.application_job,
        place=experiment.training.place,
        packages=pinned("training", "keras", "numpy", "tensorflow"),
        code=code_digest("explain_networks"),
    message:
        "Explaining the networks of {wildcards.dataset}, {wildcards.protocol} on {wildcards.external}"
    script:
        "../workflow/scripts/explain_networks.py"


rule evaluate_attribution:
    input:
        cells="<results>/attribution/{dataset}/{protocol}/{external}/cells.tsv",
        maps="<results>/attribution/{dataset}/{protocol}/{external}/maps.npz",
        record="<results>/attribution/{dataset}/{protocol}/{external}/record.json",
        masks="<results>/datasets/{external}/cells.npz",
        groups="<results>/datasets/{external}/groups.tsv",
        dataset="<results>/datasets/{external}/dataset.json",
    output:
        measured="<results>/attribution/{dataset}/{protocol}/{external}/measured.tsv",
        shares="<results>/attribution/{dataset}/{protocol}/{external}/shares.tsv",
        checks="<results>/attribution/{dataset}/{protocol}/{external}/checks.tsv",
        curves="<results>/attribution/{dataset}/{protocol}/{external}/curves.tsv",
    log:
        "<logs>/evaluate_attribution/{dataset}/{protocol}/{external}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_arrays=20),
        runtime=run_time(20),
    params:
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("evaluate_attribution"),
    message:
        "Measuring the attributions of {wildcards.dataset}, {wildcards.protocol} on {wildcards.external}"
    script:
        "../workflow/scripts/evaluate_attribution.py"


rule describe_attribution:
    input:
        maps="<results>/attribution/{dataset}/{protocol}/{external}/maps.npz",
        measured="<results>/attribution/{dataset}/{protocol}/{external}/measured.tsv",
        shares="<results>/attribution/{dataset}/{protocol}/{external}/shares.tsv",
        checks="<results>/attribution/{dataset}/{protocol}/{external}/checks.tsv",
        curves="<results>/attribution/{dataset}/{protocol}/{external}/curves.tsv",
        images="<results>/datasets/{external}/images.npy",
        masks="<results>/datasets/{external}/cells.npz",
        dataset="<results>/datasets/{external}/dataset.json",
    output:
        shares_table=table_files(
            "{dataset}/{protocol}/attribution/{external}",
            where="attributions",
            caption="../workflow/report/attribution.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Attribution on {external} (table)", "protocol": "{protocol}"},
        ),
        checks_table=table_files(
            "{dataset}/{protocol}/attribution_checks/{external}",
            where="attributions",
            caption="../workflow/report/attribution_checks.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Checks of the attribution on {external}", "protocol": "{protocol}"},
        ),
        figure=figure_files(
            "{dataset}/{protocol}/attribution/{external}",
            where="attributions",
            shown="png",
            caption="../workflow/report/attribution_figure.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Attribution on {external} (figure)", "protocol": "{protocol}"},
        ),
        deletion=figure_files(
            "{dataset}/{protocol}/deletion/{external}",
            where="attributions",
            caption="../workflow/report/deletion.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Deletion curves on {external}", "protocol": "{protocol}"},
        ),
    log:
        "<logs>/describe_attribution/{dataset}/{protocol}/{external}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        titles=experiment.shown.attribution_titles,
        code=code_digest("describe_attribution"),
    message:
        "Describing the attributions of {wildcards.dataset}, {wildcards.protocol} on {wildcards.external}"
    script:
        "../workflow/scripts/describe_attribution.py"
