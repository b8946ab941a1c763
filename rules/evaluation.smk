rule evaluate_model:
    input:
        predictions=fold_files("predictions.tsv"),
    output:
        metrics="results/evaluation/{dataset}/{protocol}/{model}/metrics.tsv",
        confusion="results/evaluation/{dataset}/{protocol}/{model}/confusion.tsv",
        roc="results/evaluation/{dataset}/{protocol}/{model}/roc.tsv",
        precision_recall="results/evaluation/{dataset}/{protocol}/{model}/precision_recall.tsv",
        report="results/evaluation/{dataset}/{protocol}/{model}/report.tsv",
    log:
        "logs/evaluate_model/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="20m",
    params:
        code=code_digest("evaluation"),
    message:
        "Evaluating {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/evaluate_model.py"
