rule generate_responses:
    input:
        examples=f"{RESULTS}/examples/{{task}}/{{split}}.parquet",
        model=f"{RESULTS}/models/{{model}}/model.json",
        shards=SPECS.shards("responses"),
    output:
        f"{RESULTS}/responses/{{model}}/{{task}}/{{split}}.{{source}}.parquet",
    log:
        f"{LOGS}/generate_responses/{{model}}/{{task}}/{{split}}.{{source}}.log",
    conda:
        SPECS.environment("../../envs/model.yaml", "../../envs/vllm.yaml")
    threads: 1
    resources:
        **SPECS.launch("generate_responses"),
        mem_mb=SPECS.memory("generate_responses"),
        runtime=SPECS.minutes("generate_responses"),
    params:
        spec=SPECS.text("generate_responses"),
        code=SPECS.code("generate_responses"),
    shell:
        RUN + " --examples {input.examples} --model {input.model} --responses {output}"
