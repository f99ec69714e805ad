rule take_adapter:
    input:
        model=LAYOUT.model.pattern,
    output:
        LAYOUT.given.pattern,
    log:
        LAYOUT.given.log,
    conda:
        "../../envs/model.yaml"
    resources:
        **SPECS.launch("take_adapter"),
        mem_mb=SPECS.memory("take_adapter"),
        runtime=SPECS.minutes("take_adapter"),
    params:
        spec=SPECS.text("take_adapter"),
        code=SPECS.code("take_adapter"),
    shell:
        RUN + " --model {input.model} --adapter {output}"
