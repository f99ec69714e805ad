rule verify_responses:
    input:
        examples=f"{RESULTS}/examples/{{task}}/{{split}}.parquet",
        responses=f"{RESULTS}/responses/{{model}}/{{task}}/{{split}}.{{source}}.parquet",
    output:
        f"{RESULTS}/verdicts/{{model}}/{{task}}/{{split}}.{{source}}.parquet",
    log:
        f"{LOGS}/verify_responses/{{model}}/{{task}}/{{split}}.{{source}}.log",
    conda:
        "../../envs/data.yaml"
    resources:
        **SPECS.launch("verify_responses"),
        mem_mb=SPECS.memory("verify_responses"),
        runtime=SPECS.minutes("verify_responses"),
    params:
        spec=SPECS.text("verify_responses"),
        code=SPECS.code("verify_responses"),
    shell:
        RUN + " --examples {input.examples} --responses {input.responses} --verdicts {output}"
