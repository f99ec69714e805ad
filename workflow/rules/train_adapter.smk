rule train_adapter:
    input:
        masks=SPECS.mask_of,
        model=f"{RESULTS}/models/{{model}}/model.json",
    output:
        f"{RESULTS}/adapters/{{model}}/{{target}}/{{variant}}/seed{{seed}}/adapter.json",
    log:
        f"{LOGS}/train_adapter/{{model}}/{{target}}/{{variant}}/seed{{seed}}.log",
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
        RUN + " --masks {input.masks} --model {input.model} --adapter {output}"
