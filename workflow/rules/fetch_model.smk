rule fetch_model:
    output:
        f"{RESULTS}/models/{{model}}/model.json",
    log:
        f"{LOGS}/fetch_model/{{model}}.log",
    params:
        spec=SPECS.text("fetch_model"),
        code=SPECS.code("fetch_model"),
    resources:
        mem_mb=4000,
    conda:
        "../../envs/model.yaml"
    shell:
        RUN + " --model {output}"
