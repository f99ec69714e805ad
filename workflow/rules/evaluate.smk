rule evaluate_base:
    input:
        examples=SPECS.suite_examples,
        answers=SPECS.suite_answers,
        model=f"{RESULTS}/models/{{model}}/model.json",
    output:
        f"{RESULTS}/evaluations/{{model}}/base/{{suite}}.parquet",
    log:
        f"{LOGS}/evaluate_base/{{model}}/{{suite}}.log",
    params:
        spec=SPECS.text("evaluate_base"),
        code=SPECS.code("evaluate_base"),
    threads: 1
    resources:
        mem_mb=4000,
    conda:
        "../../envs/model.yaml"
    shell:
        RUN + " --examples {input.examples} --answers {input.answers} --model {input.model} --evaluation {output}"


rule evaluate_adapter:
    input:
        examples=SPECS.suite_examples,
        answers=SPECS.suite_answers,
        model=f"{RESULTS}/models/{{model}}/model.json",
        adapter=f"{RESULTS}/adapters/{{model}}/{{target}}/{{variant}}/seed{{seed}}/adapter.json",
    output:
        f"{RESULTS}/evaluations/{{model}}/{{target}}/{{variant}}/seed{{seed}}/{{suite}}.parquet",
    log:
        f"{LOGS}/evaluate_adapter/{{model}}/{{target}}/{{variant}}/seed{{seed}}/{{suite}}.log",
    params:
        spec=SPECS.text("evaluate_adapter"),
        code=SPECS.code("evaluate_adapter"),
    threads: 1
    resources:
        mem_mb=4000,
    conda:
        "../../envs/model.yaml"
    shell:
        RUN + " --examples {input.examples} --answers {input.answers} --model {input.model} --adapter {input.adapter}"
        " --evaluation {output}"
