rule fetch_model:
    output:
        f"{RESULTS}/models/{{model}}/model.json",
    log:
        f"{LOGS}/fetch_model/{{model}}.log",
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
