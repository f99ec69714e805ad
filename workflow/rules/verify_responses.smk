rule verify_responses:
    input:
        examples=f"{RESULTS}/examples/{{task}}/{{split}}.parquet",
        responses=f"{RESULTS}/responses/{{model}}/{{task}}/{{split}}.{{source}}.parquet",
    output:
        f"{RESULTS}/verdicts/{{model}}/{{task}}/{{split}}.{{source}}.parquet",
    log:
        f"{LOGS}/verify_responses/{{model}}/{{task}}/{{split}}.{{source}}.log",
    params:
        spec=SPECS.text("verify_responses"),
        code=SPECS.code("verify_responses"),
    conda:
        "../../envs/data.yaml"
    shell:
        RUN + " --examples {input.examples} --responses {input.responses} --verdicts {output}"
