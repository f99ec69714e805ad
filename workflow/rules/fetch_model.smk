rule fetch_model:
    output:
        LAYOUT.model.pattern,
    log:
        LAYOUT.model.log,
    conda:
        "../../envs/model.yaml"
    resources:
        **SPECS.launch("fetch_model"),
        mem_mb=SPECS.memory("fetch_model"),
        runtime=SPECS.minutes("fetch_model"),
    params:
        spec=SPECS.text("fetch_model"),
        code=SPECS.code("fetch_model"),
    shell:
        RUN + " --model {output}"
