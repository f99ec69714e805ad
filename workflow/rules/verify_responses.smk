rule verify_responses:
    input:
        examples=LAYOUT.examples.pattern,
        responses=LAYOUT.responses.pattern,
    output:
        LAYOUT.verdicts.pattern,
    log:
        LAYOUT.verdicts.log,
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
