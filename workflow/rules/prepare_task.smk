rule prepare_task:
    input:
        SPECS.task_file,
    output:
        f"{RESULTS}/examples/{{task}}/{{split}}.parquet",
    log:
        f"{LOGS}/prepare_task/{{task}}/{{split}}.log",
    params:
        spec=SPECS.text("prepare_task"),
        code=SPECS.code("prepare_task"),
    conda:
        "../../envs/data.yaml"
    shell:
        RUN + " --task {wildcards.task} --examples {output}"
