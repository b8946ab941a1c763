# What networks and jobs cost. Counts are the same everywhere; what is measured on this machine has
# a file of its own, on which only the tables and figures of cost depend.


rule estimate_efficiency:
    input:
        layers=experiment.costs.layers,
        intervals=experiment.costs.intervals,
        comparisons=experiment.costs.comparisons,
    output:
        counts="<results>/costs/networks.tsv",
        efficiency="<results>/costs/efficiency.tsv",
    log:
        "<logs>/estimate_efficiency.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        networks=experiment.costs.networks,
        runs=experiment.costs.ranked_runs,
        primary=experiment.shown.primary_metrics,
        code=code_digest("estimate_efficiency"),
    message:
        "Counting what networks cost, and comparing models with costlier ones"
    script:
        "../workflow/scripts/estimate_efficiency.py"


# All cores, so that no other job of this run disturbs the times, and the last of the jobs that can
# run, so that no core waits for it before.
rule measure_networks:
    input:
        backbones=experiment.costs.measured_files,
    output:
        measured="<results>/costs/measured.tsv",
    log:
        "<logs>/measure_networks.log",
    priority: MEASURED_LAST
    conda:
        "../envs/training.yaml"
    threads: CORES or TRAINING_THREADS
    resources:
        gpu=int(TRAINS_ON_GPU),
        mem_mb=counted(2000, 2000, experiment.costs.measured_count),
        runtime=counted(30, 10, experiment.costs.measured_count, DAY),
    params:
        networks=experiment.costs.measured_networks,
        job=experiment.costs.measurement_job,
        place=experiment.training.place,
        packages=pinned("training", "keras", "numpy", "tensorflow"),
        code=code_digest("measure_networks"),
    message:
        "Measuring latency, throughput and memory of every network"
    script:
        "../workflow/scripts/measure_networks.py"


rule collect_costs:
    input:
        runs=experiment.files.evaluated("runs.json", experiment.runs.asked),
        counts="<results>/costs/networks.tsv",
        measured=experiment.costs.measured,
        # Benchmark files are no outputs that could be asked for; this waits for other heavy jobs.
        others=experiment.files.of_datasets("groups.tsv", experiment.runs.datasets),
        external=experiment.targets.external("predictions.tsv"),
        explained=experiment.targets.attributions("record.json"),
    output:
        jobs=table_files(
            "compute_cost",
            caption="../workflow/report/compute_cost.rst",
            category="Comparison",
            subcategory="Cost",
            labels={"show": "Cost of computing (table)"},
        ),
        networks=table_files(
            "network_cost",
            caption="../workflow/report/network_cost.rst",
            category="Comparison",
            subcategory="Cost",
            labels={"show": "Cost of the networks (table)"},
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
        watts=config.get("watts"),
        # A function, because Snakemake would take a brace in a title for a wildcard.
        titles=lambda wildcards: experiment.runs.titles,
        code=code_digest("collect_costs"),
    message:
        "Adding up what the jobs cost"
    script:
        "../workflow/scripts/collect_costs.py"


rule describe_efficiency:
    input:
        efficiency="<results>/costs/efficiency.tsv",
        measured=experiment.costs.measured,
    output:
        table=table_files(
            "{dataset}/efficiency",
            where="datasets of honest comparisons",
            caption="../workflow/report/efficiency.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Accuracy and cost (table)"},
        ),
        figure=figure_files(
            "{dataset}/efficiency",
            where="datasets of honest comparisons",
            caption="../workflow/report/efficiency.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Accuracy and cost (figure)"},
        ),
    log:
        "<logs>/describe_efficiency/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        titles=experiment.costs.titles,
        title=experiment.costs.title,
        code=code_digest("describe_efficiency"),
    message:
        "Describing accuracy and cost on {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_efficiency.py"
