rule train_adapter:
    input:
        masks=SPECS.mask_of,
        model=f"{RESULTS}/models/{{model}}/model.json",
    output:
        f"{RESULTS}/adapters/{{model}}/{{target}}/{{variant}}/seed{{seed}}/adapter.json",
    log:
        f"{LOGS}/train_adapter/{{model}}/{{target}}/{{variant}}/seed{{seed}}.log",
    params:
        spec=SPECS.text("train_adapter"),
        code=SPECS.code("train_adapter"),
    threads: 1
    resources:
        mem_mb=6000,
    conda:
        "../../envs/model.yaml"
    shell:
        RUN + " --masks {input.masks} --model {input.model} --adapter {output}"
