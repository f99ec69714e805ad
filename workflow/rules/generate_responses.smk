rule generate_responses:
    input:
        examples=LAYOUT.examples.pattern,
        model=LAYOUT.model.pattern,
        shards=SPECS.inputs.shards("responses"),
        rehearsal=SPECS.inputs.rehearsal("generate_responses"),
    output:
        LAYOUT.responses.pattern,
    log:
        LAYOUT.responses.log,
    conda:
        SPECS.environment("../../envs/model.yaml", "../../envs/vllm.yaml")
    threads: 1
    resources:
        **SPECS.launch("generate_responses"),
        mem_mb=SPECS.memory("generate_responses"),
        runtime=SPECS.minutes("generate_responses"),
    params:
        spec=SPECS.text("generate_responses"),
        code=SPECS.code("generate_responses"),
    shell:
        RUN + " --examples {input.examples} --model {input.model} --responses {output}"
