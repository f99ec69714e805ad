rule analyse:
    input:
        SPECS.inputs.analysed,
    output:
        LAYOUT.analysis.pattern,
    log:
        LAYOUT.analysis.log,
    conda:
        "../../envs/model.yaml"
    resources:
        **SPECS.launch("analyse"),
        mem_mb=SPECS.memory("analyse"),
        runtime=SPECS.minutes("analyse"),
    params:
        spec=SPECS.text("analyse"),
        code=SPECS.code("analyse"),
    shell:
        RUN + " --table {output}"
