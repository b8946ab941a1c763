rule collect_costs:
    input:
        runs=experiment.files.evaluated("runs.json", experiment.runs.asked),
        # Benchmark files are no outputs that could be asked for; this waits for other heavy jobs.
        others=experiment.files.of_datasets("groups.tsv", experiment.runs.datasets),
        external=experiment.targets.external("predictions.tsv"),
    output:
        table_files(
            "compute_cost",
            caption="../workflow/report/compute_cost.rst",
            category="Comparison",
            subcategory="Cost",
            labels={"show": "Cost of computing (table)"},
        ),
    log:
        "<logs>/collect_costs.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        trainings=experiment.runs.with_fold_counts(),
        jobs=[list(job) for job in measured_jobs(experiment.runs, experiment.training)],
        benchmarks=workflow.pathvars.get("benchmarks"),
        # A function, because Snakemake would take a brace in a title for a wildcard.
        titles=lambda wildcards: experiment.runs.titles,
        code=code_digest("collect_costs"),
    message:
        "Adding up what the jobs cost"
    script:
        "../workflow/scripts/collect_costs.py"
