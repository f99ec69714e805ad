rule score_shard:
    input:
        examples=f"{RESULTS}/examples/{{task}}/{{split}}.parquet",
        responses=f"{RESULTS}/responses/{{model}}/{{task}}/{{split}}.{{source}}.parquet",
        model=f"{RESULTS}/models/{{model}}/model.json",
        scorer=f"{RESULTS}/models/{{scorer}}/model.json",
    output:
        temp(f"{RESULTS}/scores/{{scorer}}/{{model}}/{{task}}/{{split}}.{{source}}.shard{{shard}}"),
    log:
        f"{LOGS}/score_token_perplexity/{{scorer}}/{{model}}/{{task}}/{{split}}.{{source}}.shard{{shard}}.log",
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        **SPECS.launch("score_token_perplexity"),
        mem_mb=SPECS.memory("score_token_perplexity"),
        runtime=SPECS.minutes("score_token_perplexity"),
    params:
        spec=SPECS.text("score_token_perplexity"),
        code=SPECS.code("score_token_perplexity"),
    shell:
        RUN
        + " --examples {input.examples} --responses {input.responses} --model {input.model} --scorer {input.scorer}"
        " --scores {output} --shard {wildcards.shard}"
