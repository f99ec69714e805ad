rule generate_responses:
    input:
        examples=f"{RESULTS}/examples/{{task}}/{{split}}.parquet",
        model=f"{RESULTS}/models/{{model}}/model.json",
    output:
        f"{RESULTS}/responses/{{model}}/{{task}}/{{split}}.{{source}}.parquet",
    log:
        f"{LOGS}/generate_responses/{{model}}/{{task}}/{{split}}.{{source}}.log",
    params:
        spec=SPECS.text("generate_responses"),
        code=SPECS.code("generate_responses"),
    threads: 1
    resources:
        mem_mb=4000,
    conda:
        "../../envs/model.yaml"
    shell:
        RUN + " --examples {input.examples} --model {input.model} --responses {output}"
