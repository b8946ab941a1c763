rule estimate_intervals:
    input:
        predictions=fold_files("predictions.tsv"),
        groups="results/datasets/{dataset}/groups.tsv",
        folds="results/folds/{dataset}/{protocol}.tsv",
    output:
        intervals=report(
            "results/evaluation/{dataset}/{protocol}/{model}/intervals.tsv",
            caption="../workflow/report/intervals.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Intervals (table)", "protocol": "{protocol}", "model": "{model}"},
        ),
    log:
        "logs/estimate_intervals/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
    params:
        seed=config["seed"],
        code=code_digest("inference"),
    message:
        "Estimating the intervals of {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/estimate_intervals.py"


rule compare_models:
    input:
        predictions=lambda wildcards: [
            path
            for model in models_of(wildcards.dataset, wildcards.protocol)
            for path in expand(
                "results/training/{dataset}/{protocol}/{model}/fold-{fold}/predictions.tsv",
                **wildcards,
                model=model,
                fold=fold_numbers(wildcards.dataset, wildcards.protocol),
            )
        ],
        groups="results/datasets/{dataset}/groups.tsv",
        folds="results/folds/{dataset}/{protocol}.tsv",
    output:
        comparisons="results/evaluation/{dataset}/{protocol}/comparisons.tsv",
    log:
        "logs/compare_models/{dataset}/{protocol}.log",
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="1h",
    params:
        models=lambda wildcards: models_of(wildcards.dataset, wildcards.protocol),
        seed=config["seed"],
        code=code_digest("inference"),
    message:
        "Comparing the models on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/compare_models.py"


rule estimate_protocol_gap:
    input:
        predictions=lambda wildcards: [
            path
            for run in gap_runs(wildcards.dataset)
            for path in expand(
                "results/training/{dataset}/{protocol}/{model}/fold-{fold}/predictions.tsv",
                dataset=run["dataset"],
                protocol=run["protocol"],
                model=run["model"],
                fold=range(run["folds"]),
            )
        ],
        groups="results/datasets/{dataset}/groups.tsv",
    output:
        gap="results/evaluation/{dataset}/protocol_gap.tsv",
    log:
        "logs/estimate_protocol_gap/{dataset}.log",
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
    params:
        runs=lambda wildcards: gap_runs(wildcards.dataset),
        code=code_digest("protocol_gap"),
    message:
        "Estimating the gap between the protocols of {wildcards.dataset}"
    script:
        "../workflow/scripts/estimate_protocol_gap.py"


rule tabulate_comparisons:
    input:
        comparisons="results/evaluation/{dataset}/{protocol}/comparisons.tsv",
    output:
        tsv=report(
            "results/tables/{dataset}/{protocol}/comparisons.tsv",
            caption="../workflow/report/comparisons.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={
                "show": "Model against model (table)",
                "protocol": "{protocol}",
                "model": "all",
            },
        ),
        tex="results/tables/{dataset}/{protocol}/comparisons.tex",
        md="results/tables/{dataset}/{protocol}/comparisons.md",
    log:
        "logs/tabulate_comparisons/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        titles=TITLES["model"],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("inference_tables"),
    message:
        "Tabulating model against model on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/tabulate_comparisons.py"


rule tabulate_protocol_gap:
    input:
        gap="results/evaluation/{dataset}/protocol_gap.tsv",
    output:
        tsv=report(
            "results/tables/{dataset}/protocol_gap.tsv",
            caption="../workflow/report/protocol_gap.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Protocol gap (table)"},
        ),
        tex="results/tables/{dataset}/protocol_gap.tex",
        md="results/tables/{dataset}/protocol_gap.md",
    log:
        "logs/tabulate_protocol_gap/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        titles=TITLES,
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("inference_tables"),
    message:
        "Tabulating the gap between the protocols of {wildcards.dataset}"
    script:
        "../workflow/scripts/tabulate_protocol_gap.py"


rule plot_differences:
    input:
        comparisons="results/evaluation/{dataset}/{protocol}/comparisons.tsv",
    output:
        pdf="results/figures/{dataset}/{protocol}/differences.pdf",
        svg=report(
            "results/figures/{dataset}/{protocol}/differences.svg",
            caption="../workflow/report/differences.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Differences of the models", "protocol": "{protocol}", "model": "all"},
        ),
        png="results/figures/{dataset}/{protocol}/differences.png",
    log:
        "logs/plot_differences/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        titles=TITLES["model"],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.inference_figures"),
    message:
        "Drawing the differences of the models on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/plot_differences.py"


rule plot_protocol_gap:
    input:
        metrics=lambda wildcards: [
            "results/evaluation/{dataset}/{protocol}/{model}/metrics.tsv".format(**run)
            for run in gap_runs(wildcards.dataset)
        ],
        intervals=lambda wildcards: [
            "results/evaluation/{dataset}/{protocol}/{model}/intervals.tsv".format(**run)
            for run in gap_runs(wildcards.dataset)
        ],
    output:
        pdf="results/figures/{dataset}/protocol_gap.pdf",
        svg=report(
            "results/figures/{dataset}/protocol_gap.svg",
            caption="../workflow/report/protocol_gap.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Protocol gap (figure)"},
        ),
        png="results/figures/{dataset}/protocol_gap.png",
    log:
        "logs/plot_protocol_gap/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        runs=lambda wildcards: gap_runs(wildcards.dataset),
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.inference_figures"),
    message:
        "Drawing the gap between the protocols of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_protocol_gap.py"
