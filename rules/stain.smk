rule fit_stain:
    input:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    output:
        records="<results>/stain/{dataset}/{protocol}/{stain}.json",
        mean_images="<results>/stain/{dataset}/{protocol}/{stain}.npy",
    log:
        "<logs>/fit_stain/{dataset}/{protocol}/{stain}.log",
    benchmark:
        "<benchmarks>/fit_stain/{dataset}/{protocol}/{stain}.tsv"
    conda:
        "../envs/folds.yaml"
    resources:
        mem_mb=memory(3000, of_tables=60),
        runtime=run_time(120, of_arrays=0.05),
    params:
        code=code_digest("fit_stain"),
    message:
        "Fitting {wildcards.stain} on the training images of {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/fit_stain.py"


rule plot_stain:
    input:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        records="<results>/stain/{dataset}/{protocol}/{stain}.json",
    output:
        figure_files(
            "{dataset}/{protocol}/stain_{stain}",
            shown="png",
            caption="../workflow/report/stain.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Stain normalisation, {stain}", "protocol": "{protocol}"},
        ),
    log:
        "<logs>/plot_stain/{dataset}/{protocol}/{stain}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        code=code_digest("plot_stain"),
    message:
        "Drawing images of {wildcards.dataset} before and after {wildcards.stain}"
    script:
        "../workflow/scripts/plot_stain.py"
