rule measure_gradients:
    input:
        scores=SPECS.inputs.of_sources("scores"),
        sequences=SPECS.inputs.of_sources("sequences"),
        model=LAYOUT.model.pattern,
    output:
        LAYOUT.gradients.pattern,
    log:
        LAYOUT.gradients.log,
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        **SPECS.launch("measure_gradients"),
        mem_mb=SPECS.memory("measure_gradients"),
        runtime=SPECS.minutes("measure_gradients"),
    params:
        spec=SPECS.text("measure_gradients"),
        code=SPECS.code("measure_gradients"),
    shell:
        RUN + " --scores {input.scores} --sequences {input.sequences} --model {input.model} --gradients {output}"
