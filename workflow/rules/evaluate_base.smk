rule evaluate_base:
    input:
        examples=SPECS.inputs.suite_examples,
        answers=SPECS.inputs.suite_answers,
        model=LAYOUT.model.pattern,
        rehearsal=SPECS.inputs.rehearsal("evaluate_base"),
    output:
        LAYOUT.base_evaluation.pattern,
    log:
        LAYOUT.base_evaluation.log,
    conda:
        SPECS.environment("../../envs/model.yaml", "../../envs/vllm.yaml")
    threads: 1
    resources:
        **SPECS.launch("evaluate_base"),
        mem_mb=SPECS.memory("evaluate_base"),
        runtime=SPECS.minutes("evaluate_base"),
    params:
        spec=SPECS.text("evaluate_base"),
        code=SPECS.code("evaluate_base"),
    shell:
        RUN + " --examples {input.examples} --answers {input.answers} --model {input.model} --evaluation {output}"
