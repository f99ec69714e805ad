"""About how much memory of a GPU a job needs, for plans: weights, adapter, activations, logits and cache.

The architecture is read from a model that is there; before that it is that of a usual decoder of as many parameters.
Bytes per token of a training were counted in the tensors that autograd saves for Llama models of several shapes with a
LoRA adapter in bfloat16; they grow with the width and the feed-forward width of a layer alone. All batches are taken to
be full, so that most jobs need less.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from clearminds.files.layout import scoring_model
from clearminds.run.sizing.costs import HIDDEN_PER_LAYER, trained_parameters
from clearminds.run.sizing.workload import RUN_A_MODEL, TRAINED, Workload, Workloads
from clearminds.run.wildcards import Wildcards

VOCABULARY = 128_256  # of a model that is not there yet: Llama 3's; Qwen's has 152,000, Gemma's 256,000
FEED_FORWARD, KEYS = 3.5, 0.25  # widths of those layers over a model's, likewise

# bytes a token and layer that a training keeps for its backward pass, per unit of width and of feed-forward width
SAVED, SAVED_FEED_FORWARD = 28.5, 8.1
CHECKPOINTED = 2  # where only a layer's input is kept
LOGITS = 12  # bytes per token and entry of the vocabulary, forward and backward
BASE_LOGITS = 4  # likewise, where a loss asks the base
NF4 = 0.5 + 4 / 64  # bytes per parameter: 4 bits, and a float32 per block of 64
PASSING = 8, 3  # activations of a layer beside one another without a backward pass, in widths and feed-forward widths
SAMPLING = 32  # bytes per row and entry of the vocabulary: logits, probabilities, their sum in float64
HEAD_ROWS, HEAD_BLOCKS = 256, 5  # rows of float32 logits that are scored at a time, and copies of them
SPARE = 1.25  # on all but weights: what the allocator cannot use
DRIVER_BYTES = 1e9  # context, kernels and workspaces


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder that memory goes by.

    Attributes:
        parameters: all of them.
        width: of its hidden states.
        layers: how many.
        feed_forward: width inside a layer.
        keys: width of keys, and of values.
        vocabulary: tokens.
        tied: whether its head is its embedding.
    """

    parameters: float
    width: float
    layers: float
    feed_forward: float
    keys: float
    vocabulary: int
    tied: bool

    @classmethod
    def of(cls, parameters: float, folder: Path) -> "Shape":
        """Of the model in a folder, where it is there and says so; else of a usual one."""
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            config = config.get("text_config") or config  # of a model for images too
            width, heads = config["hidden_size"], config["num_attention_heads"]
            head = config.get("head_dim") or width // heads
            keys = head * (config.get("num_key_value_heads") or heads)
            sizes = (width, config["num_hidden_layers"], config["intermediate_size"], keys, config["vocab_size"])
            return cls(parameters, *sizes, bool(config.get("tie_word_embeddings")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            width = (parameters * HIDDEN_PER_LAYER / 12) ** (1 / 3)
            layers = width / HIDDEN_PER_LAYER
            return cls(parameters, width, layers, FEED_FORWARD * width, KEYS * width, VOCABULARY, parameters < 4e9)

    def weights(self, per_parameter: float, four_bits: bool) -> float:
        """Bytes of its weights. Args: bytes of one; whether those of its layers are quantised."""
        if not four_bits:
            return self.parameters * per_parameter
        kept = min(self.vocabulary * self.width * (1 if self.tied else 2), self.parameters)
        whole = self.width * self.feed_forward * per_parameter  # a matrix that is about to be multiplied
        return kept * per_parameter + (self.parameters - kept) * NF4 + whole

    def training(self, tokens: float, checkpointed: bool) -> float:
        """Bytes of activations and logits of a forward and backward pass."""
        layer = SAVED * self.width + SAVED_FEED_FORWARD * self.feed_forward
        kept = self.layers * CHECKPOINTED * self.width + layer if checkpointed else self.layers * layer
        return tokens * (kept + LOGITS * self.vocabulary)

    def passing(self, tokens: float, per_value: float) -> float:
        """Bytes of activations of a forward pass alone."""
        return tokens * (PASSING[0] * self.width + PASSING[1] * self.feed_forward) * per_value

    def scoring(self, tokens: float, per_value: float) -> float:
        """Bytes of a batch that is scored, beside the weights."""
        return self.passing(tokens, per_value) + HEAD_ROWS * HEAD_BLOCKS * self.vocabulary * 4

    def generating(self, tokens: float, rows: float, per_value: float) -> float:
        """Bytes of a batch that is generated: its cache, its prompts' pass, and the next token's probabilities."""
        cache = tokens * self.layers * 2 * self.keys * per_value
        return cache + self.passing(tokens / 2, per_value) + rows * self.vocabulary * SAMPLING


def gpu_memory(stage: str, wildcards: Wildcards, works: Workloads) -> float:
    """Bytes that one job needs on its GPU, on each where a training has several; 0 for a job without a model.

    Args:
        stage: of the job.
        wildcards: of its rule.
        works: of the study.

    What vLLM generates counts its weights alone: its cache takes what is left of the device.
    """
    if stage not in RUN_A_MODEL or (stage == "generate_responses" and wildcards.source == "reference"):
        return 0
    scores = stage == "score_token_perplexity"
    study, model = works.study, scoring_model(wildcards.scorer) if scores else wildcards.model
    parameters = works.sizes.parameters(model)
    shape = Shape.of(parameters, Path(works.sizes.layout.model.path(model=model)).parent)
    four_bits = study.models[model].quantization == "4bit"
    needed = 0.0
    for work in works.parts(stage, wildcards):
        weights = shape.weights(work.weight_bytes, four_bits)
        if stage in ("train_adapter", "rehearse"):
            variants = [wildcards.variant] if stage == "train_adapter" else list(study.variants)
            beside = max((_trained(shape, works, work, variant) for variant in variants), default=0)
            weights /= works.gpus(stage) if study.runtime.fsdp and stage == "train_adapter" else 1
        elif stage == "measure_gradients":
            beside = shape.training(work.batch, checkpointed=False)
        elif work.vllm:
            beside = 0
        elif work.written:
            beside = shape.generating(work.batch, work.rows, work.weight_bytes)
        else:
            beside = shape.scoring(work.batch, work.weight_bytes) if work.read else 0
        needed = max(needed, weights + SPARE * beside)
    return needed + DRIVER_BYTES


def _trained(shape: Shape, works: Workloads, work: Workload, variant: str) -> float:
    """Bytes of an adapter and of a pass through it; a conversation longer than a batch is a batch of its own."""
    training, runtime = works.study.training_of(variant), works.study.runtime
    trained = trained_parameters(shape.parameters, training) * TRAINED
    if training.adapter == "full":
        trained -= shape.parameters * work.weight_bytes  # what is there as the model's weights
    tokens = max(work.batch, training.max_length)
    of_base = tokens * shape.vocabulary * BASE_LOGITS if works.study.asks_the_base(variant) else 0
    return trained + shape.training(tokens, runtime.gradient_checkpointing) + of_base
