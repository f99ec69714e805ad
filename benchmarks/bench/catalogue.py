"""What is measured against what, and what is to be reached: a line each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from measured import Measured, Places

HARNESS, TRL = "lm-evaluation-harness", "TRL SFTTrainer"
SPEED, MEMORY = "speed", "memory"
PEAK, IMPORTS = "matrix_peak:own", "imports:own"
ADAPTERS = 2
SAME_LOSS = 0.01  # of a step's loss, in bfloat16
VLLM_PYTHON = Path(__file__).parents[2] / ".venv-vllm/bin/python"  # of `make setup-vllm`


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        stage: what is measured.
        peer: what it is compared with; "": nothing.
        own, other: of this project and the peer: "module:function", and what that is called with beside the places.
        target: the ratio to reach, or where there is no peer the figure in `unit`; None: a measurement alone.
        unit: of the figures that are shown.
        of: speed: amounts per second of a core, and at least the target; memory: MiB at the peak above what was there
            before, and at most the target.
        dtype: of the matrix products whose peak it is held against.
        within: by what share the numbers that both sides find may differ.
        needs: a file without which it is not measured.
    """

    stage: str
    peer: str
    own: tuple
    other: tuple | None
    target: float | None
    unit: str
    of: str = SPEED
    dtype: str = "float32"
    within: float = 0.0
    needs: Path | None = None

    @property
    def name(self) -> tuple[str, str]:
        """What tells it from the other rows."""
        return self.stage, self.peer


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        items: word problems that are scored.
        tokens: of made-up tables.
        mask_tokens: of those that masks are built from.
        wide: tokens of the statistics of a wide vocabulary.
    """

    items: int
    tokens: int
    mask_tokens: int
    wide: int


def called(work: tuple) -> Callable[[Places], Measured]:
    """The function that a row names, with its settings."""
    name, *settings = work
    module, _, function = name.partition(":")
    return partial(getattr(import_module(module), function), *settings)


def peak_of(dtype: str) -> Row:
    """The line of the machine's peak."""
    return Row(f"matrix product, {dtype}", "", (PEAK, dtype), None, None, "FLOP/s", dtype=dtype)


def rows(sizes: Sizes) -> list[Row]:
    """All lines, the peaks of the machine first."""
    peaks = [peak_of(dtype) for dtype in ("float32", "bfloat16")]
    return [
        *peaks,
        *_scoring(sizes),
        *_training(sizes),
        *_generation(sizes),
        *_evaluation(sizes),
        *_tables(sizes),
        *_starts(),
    ]


def _scoring(sizes: Sizes) -> list[Row]:
    single, samples, unit = ("single", sizes.items), ("samples", sizes.items), "conversations/s"
    one, wide = (
        ("scoring:own", *single),
        (("token_statistics:own", sizes.wide), ("token_statistics:blocks", sizes.wide)),
    )
    return [
        Row("scoring, one response", "one example at a time", one, ("scoring:one_at_a_time", *single), 1.6, unit),
        Row("scoring, one response", HARNESS, one, ("scoring:harness", *single), 1.6, unit),
        Row("scoring, 8 samples", HARNESS, ("scoring:own", *samples), ("scoring:harness", *samples), 4.0, unit),
        Row("statistics, vocabulary 256k", "blocks of 256 rows", *wide, None, "tokens/s"),
        Row("statistics, vocabulary 256k, memory", "blocks of 256 rows", *wide, None, "MiB", MEMORY),
        Row("statistics, vocabulary 256k, memory", "", wide[0], None, 400, "MiB", MEMORY),
    ]


def _training(sizes: Sizes) -> list[Row]:
    own, found = ("training:own", sizes.items), []
    for settings, target in (("defaults", 3.5), ("best", 3.0)):
        peer, kept = ("training:sft", settings, sizes.items), {"dtype": "bfloat16", "within": SAME_LOSS}
        found += [
            Row("training", f"{TRL}, {settings}", own, peer, target, "tokens/s", **kept),
            Row("training, memory", f"{TRL}, {settings}", own, peer, 0.6, "MiB", MEMORY, **kept),
        ]
    return found


def _generation(sizes: Sizes) -> list[Row]:
    prompts = max(1, sizes.items // 4)
    own = "generation:own", prompts
    peers = (
        ("transformers' pipeline", "pipeline", 10.0, None),
        ("transformers' generate", "generate", 1.3, None),
        ("vLLM for CPUs", "vllm", 1.2, VLLM_PYTHON),
    )
    return [
        Row("generation, 8 samples", peer, own, (f"generation:{name}", prompts), target, "tokens/s", needs=needs)
        for peer, name, target, needs in peers
    ]


def _evaluation(sizes: Sizes) -> list[Row]:
    own, other = ("choices:own", 2 * sizes.items), ("choices:harness", 2 * sizes.items)
    several = (ADAPTERS, sizes.items // 2)
    return [
        Row("evaluation by choices", HARNESS, own, other, 3.0, "items/s", within=1e-3),
        Row(
            f"evaluation of {ADAPTERS} adapters on 2 tasks",
            f"{HARNESS}, a run each",
            ("adapters:own", *several),
            ("adapters:harness", *several),
            2.0,
            "adapters/s",
        ),
    ]


def _tables(sizes: Sizes) -> list[Row]:
    return [
        Row("mask building", "", ("mask_rows:own", sizes.mask_tokens), None, 2e7, "tokens/s"),
        Row("mask building, memory", "", ("mask_rows:own", sizes.mask_tokens), None, 2000, "MiB", MEMORY),
        Row("score table, three columns", "", ("score_table:reading", sizes.tokens), None, 1.0, "tables/s"),
        Row("score table, tokens a byte", "", ("score_table:made_up_size", sizes.tokens), None, 1 / 12, "tokens/B"),
        Row("score table of few items, tokens a byte", "", ("score_table:size", sizes.items), None, None, "tokens/B"),
    ]


def _starts() -> list[Row]:
    planning, start_up = import_module("planning"), import_module("start_up")
    return [
        Row("dry run of 5,000 jobs", "", ("planning:dry_run",), None, planning.PLANS, "runs/s"),
        Row("run with nothing to do", "", ("planning:nothing_to_do",), None, planning.RUNS, "runs/s"),
        *(
            Row(f"start of a job, {stage}", "", ("start_up:own", stage), None, start_up.TARGET, "starts/s")
            for stage in start_up.JOBS
        ),
        *(Row(f"imports of a job, {stage}", "", (IMPORTS, stage), None, None, "jobs/s") for stage in start_up.JOBS),
    ]
