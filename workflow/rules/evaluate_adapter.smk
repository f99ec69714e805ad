rule evaluate_adapter:
    input:
        examples=SPECS.inputs.suite_examples,
        answers=SPECS.inputs.suite_answers,
        model=LAYOUT.model.pattern,
        adapter=SPECS.inputs.adapter_of,
        rehearsal=SPECS.inputs.rehearsal("evaluate_adapter"),
    output:
        LAYOUT.evaluation.pattern,
    log:
        LAYOUT.evaluation.log,
    conda:
        SPECS.environment("../../envs/model.yaml", "../../envs/vllm.yaml")
    threads: 1
    resources:
        **SPECS.launch("evaluate_adapter"),
        mem_mb=SPECS.memory("evaluate_adapter"),
        runtime=SPECS.minutes("evaluate_adapter"),
    params:
        spec=SPECS.text("evaluate_adapter"),
        code=SPECS.code("evaluate_adapter"),
    shell:
        RUN + " --examples {input.examples} --answers {input.answers} --model {input.model} --adapter {input.adapter}"
        " --evaluation {output}"
