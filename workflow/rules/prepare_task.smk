rule prepare_task:
    input:
        SPECS.inputs.task_file,
    output:
        LAYOUT.examples.pattern,
    log:
        LAYOUT.examples.log,
    conda:
        "../../envs/data.yaml"
    resources:
        **SPECS.launch("prepare_task"),
        mem_mb=SPECS.memory("prepare_task"),
        runtime=SPECS.minutes("prepare_task"),
    params:
        spec=SPECS.text("prepare_task"),
        code=SPECS.code("prepare_task"),
    shell:
        RUN + " --task {wildcards.task} --examples {output}"
