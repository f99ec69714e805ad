rule train_adapter:
    input:
        masks=SPECS.inputs.mask_of,
        model=LAYOUT.model.pattern,
        start=SPECS.inputs.start_of,
        held_out=SPECS.inputs.held_out,
        rehearsal=SPECS.inputs.rehearsal("train_adapter"),
    output:
        LAYOUT.adapter.pattern,
    log:
        LAYOUT.adapter.log,
    priority: 1  # before evaluations, which wait for it: a run ends with shorter jobs then, of which more run at once
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        **SPECS.launch("train_adapter"),
        mem_mb=SPECS.memory("train_adapter"),
        runtime=SPECS.minutes("train_adapter"),
    params:
        spec=SPECS.text("train_adapter"),
        code=SPECS.code("train_adapter"),
    shell:
        RUN + " --masks {input.masks} --model {input.model} --start {input.start}"
        " --held-out {input.held_out} --adapter {output}"
