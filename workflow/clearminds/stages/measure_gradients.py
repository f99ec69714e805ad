"""How much of the base's gradient comes from tokens of high perplexity, batch by batch of the training responses.

The gradient is that of the first step of a LoRA on all linear layers: there B is 0, so that A has none, and that of B
is the weight's own gradient G seen through A, G A^T. A is random and the same for all tokens: so norms and angles are,
up to one factor, estimates of those of G (as in random projections), at a rank's cost instead of the whole model's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearminds.files.settings import settings
from clearminds.model.loading import Loading

if TYPE_CHECKING:  # the workflow reads `Settings` here, and needs no torch for it
    from clearminds.model.causal_model import CausalModel

EXAMPLES, BATCH = 32, 8  # the first ones of each source, so many at a time
PERPLEXITIES = (1.5, 2.5, 10.0, 100.0)
RANK = 16


@settings
class Settings:
    """What the norms depend on.

    Attributes:
        sources: of the responses, in the order of their tables.
        dtype: of the model's weights, and of products.
        loading: of the config's model.
    """

    sources: list[str]
    dtype: str
    loading: Loading


@settings
class Runtime:
    """How they are computed. Attributes: batch_tokens: most tokens of a forward pass."""

    batch_tokens: int


def measure_gradients(
    model: Path, tables: dict[str, tuple[Path, Path]], settings: Settings, runtime: Runtime
) -> tuple[list[dict], dict]:
    """Rows of the contract GRADIENT_NORMS, and what they cost.

    Args:
        model: its folder.
        tables: by source, its token scores and sequences.
        settings, runtime: of the stage.
    """
    from clearminds.model.load import load_model
    from clearminds.model.throughput import throughput
    from clearminds.model.token_gradients import measured
    from clearminds.progress import Progress
    from clearminds.stages.first_responses import first_responses

    probed = probe(load_model(model, dtype=settings.dtype, loading=settings.loading))
    rows = {source: first_responses(*files, most=EXAMPLES) for source, files in tables.items()}
    progress, found = Progress(sum(map(len, rows.values())), "examples"), []
    for source, examples in rows.items():
        for n, first in enumerate(range(0, len(examples), BATCH)):
            batch = examples[first : first + BATCH]
            norms = measured(probed, batch, PERPLEXITIES, runtime.batch_tokens)
            found += [{"source": source, "batch": n, "examples": len(batch), **row} for row in norms]
            progress.add(len(batch), sum(len(row["input_ids"]) for row in batch))
    return found, throughput(progress, probed, 1 + len(PERPLEXITIES) + 1)


def probe(model: CausalModel) -> CausalModel:
    """Put the LoRA on whose B takes the gradients; the one thing that learns. Args: the base."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(0)  # of A
    config = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=RANK, target_modules="all-linear")
    probed: Any = get_peft_model(model, config)
    for name, parameter in probed.named_parameters():
        parameter.requires_grad_(".lora_B." in name)
    return probed.eval()
