rule download_weights:
    output:
        weights="resources/weights/{architecture}_imagenet_notop.weights.h5",
        record="resources/weights/{architecture}_imagenet_notop.json",
    log:
        "logs/download_weights/{architecture}.log",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime="1h",
    message:
        "Fetching the ImageNet weights of {wildcards.architecture}"
    script:
        "../workflow/scripts/download_weights.py"
