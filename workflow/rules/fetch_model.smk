rule fetch_model:
    output:
        f"{RESULTS}/models/{{model}}/model.json",
    log:
        f"{LOGS}/fetch_model/{{model}}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        **SPECS.launch("fetch_model"),
        mem_mb=4000,
    params:
        spec=SPECS.text("fetch_model"),
        code=SPECS.code("fetch_model"),
    shell:
        RUN + " --model {output}"
