rule score_token_perplexity:
    input:
        examples=LAYOUT.examples.pattern,
        responses=LAYOUT.responses.pattern,
        model=LAYOUT.model.pattern,
        scorer=SPECS.inputs.scorer,
        adapter=SPECS.inputs.scoring_adapter,
        shards=SPECS.inputs.shards("scores"),
        rehearsal=SPECS.inputs.rehearsal("score_token_perplexity"),
    output:
        scores=LAYOUT.scores.pattern,
        sequences=LAYOUT.sequences.pattern,
    log:
        LAYOUT.scores.log,
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        **SPECS.launch("score_token_perplexity"),
        mem_mb=SPECS.memory("score_token_perplexity"),
        runtime=SPECS.minutes("score_token_perplexity"),
    params:
        spec=SPECS.text("score_token_perplexity"),
        code=SPECS.code("score_token_perplexity"),
    shell:
        RUN
        + " --examples {input.examples} --responses {input.responses} --model {input.model} --scorer {input.scorer}"
        " --adapter {input.adapter}"
        " --scores {output.scores} --sequences {output.sequences}"
