rule calibrate_model:
    input:
        predictions=fold_files("predictions.tsv"),
        folds="results/folds/{dataset}/{protocol}.tsv",
        groups="results/datasets/{dataset}/groups.tsv",
    output:
        calibration="results/evaluation/{dataset}/{protocol}/{model}/calibration.tsv",
        reliability="results/evaluation/{dataset}/{protocol}/{model}/reliability.tsv",
        operating_points="results/evaluation/{dataset}/{protocol}/{model}/operating_points.tsv",
        risk_coverage="results/evaluation/{dataset}/{protocol}/{model}/risk_coverage.tsv",
        fitted="results/evaluation/{dataset}/{protocol}/{model}/fitted.json",
    log:
        "logs/calibrate_model/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
    params:
        seed=config["seed"],
        code=code_digest("operating_points"),
    message:
        "Calibrating {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/calibrate_model.py"


rule estimate_roc_band:
    input:
        predictions=fold_files("predictions.tsv"),
        groups="results/datasets/{dataset}/groups.tsv",
    output:
        band="results/evaluation/{dataset}/{protocol}/{model}/roc_band.tsv",
    log:
        "logs/estimate_roc_band/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
    params:
        seed=config["seed"],
        code=code_digest("operating_points"),
    message:
        "Resampling the ROC curve of {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/estimate_roc_band.py"


rule tabulate_calibration:
    input:
        calibrations=model_files("calibration.tsv"),
        operating_points=model_files("operating_points.tsv"),
    output:
        tsv=report(
            "results/tables/{dataset}/{protocol}/calibration.tsv",
            caption="../workflow/report/calibration_table.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Calibration (table)", "protocol": "{protocol}", "model": "all"},
        ),
        tex="results/tables/{dataset}/{protocol}/calibration.tex",
        md="results/tables/{dataset}/{protocol}/calibration.md",
        points_tsv=report(
            "results/tables/{dataset}/{protocol}/operating_points.tsv",
            caption="../workflow/report/operating_points.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Operating points (table)", "protocol": "{protocol}", "model": "all"},
        ),
        points_tex="results/tables/{dataset}/{protocol}/operating_points.tex",
        points_md="results/tables/{dataset}/{protocol}/operating_points.md",
    log:
        "logs/tabulate_calibration/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        models=lambda wildcards: [
            (model, TITLES["model"][model])
            for model in models_of(wildcards.dataset, wildcards.protocol)
        ],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("calibration_tables"),
    message:
        "Tabulating the calibration of all models on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/tabulate_calibration.py"


rule plot_calibration:
    input:
        reliabilities=model_files("reliability.tsv"),
        calibrations=model_files("calibration.tsv"),
    output:
        pdf="results/figures/{dataset}/{protocol}/calibration.pdf",
        svg=report(
            "results/figures/{dataset}/{protocol}/calibration.svg",
            caption="../workflow/report/calibration.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Reliability diagrams", "protocol": "{protocol}", "model": "all"},
        ),
        png="results/figures/{dataset}/{protocol}/calibration.png",
    log:
        "logs/plot_calibration/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        models=lambda wildcards: [
            TITLES["model"][model] for model in models_of(wildcards.dataset, wildcards.protocol)
        ],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.calibration_figures"),
    message:
        "Drawing the reliability diagrams of {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/plot_calibration.py"


rule plot_risk_coverage:
    input:
        curves=model_files("risk_coverage.tsv"),
    output:
        pdf="results/figures/{dataset}/{protocol}/risk_coverage.pdf",
        svg=report(
            "results/figures/{dataset}/{protocol}/risk_coverage.svg",
            caption="../workflow/report/risk_coverage.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Risk-coverage curves", "protocol": "{protocol}", "model": "all"},
        ),
        png="results/figures/{dataset}/{protocol}/risk_coverage.png",
    log:
        "logs/plot_risk_coverage/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        models=lambda wildcards: [
            TITLES["model"][model] for model in models_of(wildcards.dataset, wildcards.protocol)
        ],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.calibration_figures"),
    message:
        "Drawing the risk-coverage curves of {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/plot_risk_coverage.py"
