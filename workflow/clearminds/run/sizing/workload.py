"""How much work a job is: parameters of its model, tokens that go through it, tokens that are in memory at a time.

Used by the Snakefile; no stage imports it, and no result depends on it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clearminds.config.study import Study
from clearminds.config.tasks import LmEvalTask
from clearminds.files.analysed_files import OF_VARIANTS, READS
from clearminds.files.layout import scoring_model
from clearminds.run.sizing.sizes import PROMPT, UNKNOWN_ITEMS, Sizes
from clearminds.run.wildcards import Wildcards
from clearminds.stages.measure_gradients import BATCH, EXAMPLES, PERPLEXITIES

RUN_A_MODEL: tuple[str, ...] = ("rehearse", "generate_responses", "score_token_perplexity", "train_adapter")
RUN_A_MODEL += ("evaluate_base", "evaluate_adapter", "measure_gradients")
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
TRAINED = 16  # bytes per parameter that is trained: weight, gradient and AdamW's two moments in float32
# bytes of host memory per token of a table's responses: as Python's objects; as numbers, where they are scored, behind
# prompts of up to four times their length (benchmarks/scoring_memory.py)
GENERATED, SCORED = 100, 45
REHEARSED = 8  # tokens of a rehearsed answer
COMPARED = ("dora", "full")  # kinds of training whose changes are told from the base's weights
CHOICES = 64  # tokens of an item's choices together


@dataclass(frozen=True)
class Workload:
    """The work of one job.

    Attributes:
        parameters: of the model; 0 where none is loaded.
        weight_bytes: per parameter, as it is loaded.
        read: tokens that pass the model at once: prompts, references.
        written: tokens that it generates one after the other.
        counted: tokens as the job's own record counts them, where these are neither.
        batch: tokens that are in memory at a time.
        rows: responses that are generated side by side.
        passes: forward passes of work per token; a backward pass through frozen weights is another one.
        items: rows that are handled beside it: items, responses.
        held: bytes of responses in host memory.
        fetched: bytes that are downloaded, or read from where they are to make sure of them.
        judged: answers that a verifier looks at.
        gpus: devices of the job; 0: the CPU.
        torch: whether torch and transformers are imported.
        vllm: whether vLLM generates, in a process beside.
    """

    parameters: int = 0
    weight_bytes: float = 0
    read: float = 0
    written: float = 0
    counted: float = 0
    batch: int = 0
    rows: int = 1
    passes: int = 1
    items: float = 0
    held: float = 0
    fetched: float = 0
    judged: float = 0
    gpus: int = 0
    torch: bool = False
    vllm: bool = False


class Workloads:
    """The work of a study's jobs, one method per stage, wildcards to `Workload`.

    Args:
        study: the study.
        results: its folder.
        directory: where relative paths of the study's data start; default: here.
        read_texts: as of `Sizes`.
    """

    def __init__(self, study: Study, results: str, directory: Path = Path(), *, read_texts: bool = False):
        self.study, self.sizes = study, Sizes(study, Path(results), directory, read_texts=read_texts)

    def of(self, stage: str, wildcards: Wildcards) -> Workload:
        """The work of a job of a stage."""
        return getattr(self, stage)(wildcards)

    def parts(self, stage: str, wildcards: Wildcards) -> list[Workload]:
        """The same by the precision that it is computed in: evaluations score in one and generate in another."""
        if stage in ("evaluate_base", "evaluate_adapter"):
            return [self._measured(wildcards), self._answered(wildcards)]
        return [self.of(stage, wildcards)]

    def gpus(self, stage: str) -> int:
        """Devices of a job. Only a training is spread over several; elsewhere shards and suites are."""
        gpus = self.study.runtime.devices
        return gpus if stage == "train_adapter" else min(gpus, 1) if stage in RUN_A_MODEL else 0

    def prepare_task(self, wc: Wildcards) -> Workload:
        """Its items."""
        return Workload(items=self.sizes.items(wc.task, wc.split))

    def fetch_model(self, wc: Wildcards) -> Workload:
        """A model in a GGUF file is loaded whole, in float32 beside its blocks; others are only moved."""
        parameters = self.sizes.parameters(wc.model)
        if self.study.models[wc.model].pypi is not None:
            return Workload(parameters, weight_bytes=6, torch=True)
        return Workload(fetched=parameters * BYTES["bfloat16"], torch=True)

    def rehearse(self, wc: Wildcards) -> Workload:
        """An item of every task with a short answer, and an example per training block; all examples are rendered."""
        study = self.study
        trainings = [self.sizes.training_of(name) for name in study.variants]
        dtypes = {study.scoring.dtype, study.evaluation.dtype, *(training.dtype for training in trainings)}
        names = dict.fromkeys(name for suite in study.suites.values() for name in suite)
        own = [name for name in names if self._own(name)]
        prompts = [self._prompt(name) for name in names]
        trained = max(self.sizes.prompt(name, "train") for name in study.targets)
        items = sum(self.sizes.items(name, study.evaluation.split) for name in own)
        items += sum(self.sizes.items(name, "train") for name in study.targets)
        return Workload(
            self.sizes.parameters(wc.model),
            max(BYTES[dtype] for dtype in dtypes),
            read=sum(prompts) + len(trainings) * trained,
            written=len(names) * REHEARSED,
            batch=study.training.max_length,
            passes=2,
            items=items,
            gpus=self.gpus("rehearse"),
            torch=True,
        )

    def generate_responses(self, wc: Wildcards) -> Workload:
        """New tokens of every sample of every item; references are only copied."""
        items = self.sizes.items(wc.task, wc.split)
        if wc.source == "reference":
            return Workload(items=items, gpus=self.gpus("generate_responses"), torch=True)
        source, prompt = self.study.sources[wc.source], self.sizes.prompt(wc.task, wc.split)
        return Workload(
            self.sizes.parameters(wc.model),
            BYTES[source.dtype],
            read=items * prompt * self._share(wc),
            written=items * source.samples * source.max_new_tokens * self._share(wc),
            batch=self.study.runtime.generate_tokens,
            rows=max(1, int(self.study.runtime.generate_tokens / (prompt + source.max_new_tokens))),
            items=items * max(1, source.samples * self._part(wc)),
            held=self.sizes.response_tokens(wc.model, wc.task, wc.split, wc.source) * GENERATED,
            gpus=self.gpus("generate_responses"),
            torch=True,
            vllm=source.backend == "vllm",
        )

    def verify_responses(self, wc: Wildcards) -> Workload:
        """Every response."""
        responses = self.sizes.items(wc.task, wc.split) * self.sizes.samples(wc.source)
        return Workload(items=responses, judged=responses)

    def score_token_perplexity(self, wc: Wildcards) -> Workload:
        """Every conversation once."""
        rows = self.sizes.items(wc.task, wc.split) * self.sizes.samples(wc.source)
        responses = self.sizes.response_tokens(wc.model, wc.task, wc.split, wc.source)
        return Workload(
            self.sizes.parameters(scoring_model(wc.scorer)),
            BYTES[self.study.scoring.dtype],
            read=(rows * self.sizes.prompt(wc.task, wc.split) + responses) * self._share(wc),
            batch=self.study.runtime.most_tokens,
            items=rows * self._part(wc),
            held=responses * SCORED,  # a shard plans the batches of the whole table
            gpus=self.gpus("score_token_perplexity"),
            torch=True,
        )

    def build_masks(self, wc: Wildcards) -> Workload:
        """Every response of every source that the variant and the matching use."""
        variant = self.study.variants[wc.variant]
        sources, replay = {*self.study.match.sources, variant.responses}, variant.replay
        items = self.sizes.items(wc.target, "train") * sum(map(self.sizes.samples, sources))
        more = self.sizes.items(replay.task, "train") * self.sizes.samples(replay.source) if replay else 0
        return Workload(items=items + more)

    def train_adapter(self, wc: Wildcards) -> Workload:
        """Every epoch over the masks' tokens, forward and backward; checkpointed gradients cost a pass more, and a loss
        that asks the base another."""
        study, training = self.study, self.sizes.training_of(wc.variant)
        full = training.adapter == "full"  # its own weights learn too, which is a product more for each
        more = study.runtime.gradient_checkpointing + study.asks_the_base(wc.variant) + full
        return Workload(
            self.sizes.parameters(wc.model),
            TRAINED if full else BYTES[training.dtype],
            read=self.sizes.mask_tokens(wc) * training.epochs,
            batch=min(study.runtime.most_tokens, training.batch_examples * training.max_length),
            passes=2 + more,
            gpus=self.gpus("train_adapter"),
            torch=True,
        )

    def take_adapter(self, wc: Wildcards) -> Workload:
        """Read once, or downloaded; at most a whole model."""
        return Workload(fetched=self.sizes.parameters(wc.model) * BYTES["bfloat16"], torch=True)

    def evaluate_base(self, wc: Wildcards) -> Workload:
        """Answers to the items of a suite, and the texts whose likelihood or drift it measures."""
        texts, answers = self._measured(wc), self._answered(wc)
        return replace(
            answers,
            weight_bytes=max(texts.weight_bytes, answers.weight_bytes),
            read=texts.read + answers.read,
            batch=max(texts.batch, answers.batch),
            items=texts.items + answers.items,
        )

    def _measured(self, wc: Wildcards) -> Workload:
        """The texts of a suite, in the precision of scoring; for drift both models take them."""
        read: float = 0
        counted: float = 0
        responses: float
        study, items = self.study, 0
        for name in study.suites[wc.suite]:
            task = self._own(name)
            if task is not None and task.evaluate != "accuracy":
                rows = self.sizes.items(name, study.evaluation.split)
                items += rows
                responses = rows * CHOICES
                if task.evaluate != "choice":
                    responses = self.sizes.response_tokens(
                        wc.model, name, study.evaluation.split, task.answers or "reference"
                    )
                counted += responses
                read += (rows * self._prompt(name) + responses) * (2 if task.answers else 1)
        return Workload(
            self.sizes.parameters(wc.model),
            BYTES[study.scoring.dtype],
            read,
            counted=counted,
            batch=study.runtime.most_tokens,
            items=items,
            gpus=self.gpus("evaluate_base"),
            torch=True,
        )

    def _answered(self, wc: Wildcards) -> Workload:
        """The answers to a suite, in the precision of evaluations."""
        evaluation, rows, answers, read = self.study.evaluation, 0, 0, 0.0
        longest = float(PROMPT)  # at least: batches are padded to their longest prompt
        for name in self.study.suites[wc.suite]:
            task = self._own(name)
            if task is not None and task.evaluate != "accuracy":
                continue
            here = (evaluation.limit or UNKNOWN_ITEMS) if task is None else self.sizes.items(name, evaluation.split)
            prompt = self._prompt(name)
            rows, read, longest = rows + here, read + here * prompt, max(longest, prompt)
            answers += here * (task.sampling.samples if task is not None and task.sampling else 1)
        return Workload(
            self.sizes.parameters(wc.model),
            BYTES[evaluation.dtype],
            read=read,
            written=answers * evaluation.max_new_tokens,
            batch=int(self.study.runtime.batch_rows * (longest + evaluation.max_new_tokens)),
            rows=self.study.runtime.batch_rows,
            items=rows,
            judged=answers,
            gpus=self.gpus("evaluate_base"),
            torch=True,
            vllm=evaluation.backend == "vllm",
        )

    evaluate_adapter = evaluate_base

    def analyse(self, wc: Wildcards) -> Workload:
        """Every response of what it reads; of weight changes a matrix at a time, by far the largest an embedding."""
        study, kinds = self.study, READS[wc.analysis]
        files = len(study.variants) * len(study.seeds) if any(kind in OF_VARIANTS for kind in kinds) else 1
        if "adapters" in kinds:
            changes = wc.analysis == "weight_change"
            whole = changes and any(self.sizes.training_of(name).adapter in COMPARED for name in study.variants)
            held = self.sizes.parameters(wc.model) * BYTES["float32"] / 4 if whole else 0
            return Workload(items=files, held=held, torch=changes)
        rows = self.sizes.items(wc.target, "train") * sum(map(self.sizes.samples, ["reference", *study.sources]))
        return Workload(items=files * rows)

    def measure_gradients(self, wc: Wildcards) -> Workload:
        """Some examples of each source forward, and backward once for each limit of perplexity."""
        study, tokens = self.study, self.study.training.max_length
        return Workload(
            self.sizes.parameters(wc.model),
            BYTES[study.scoring.dtype],
            read=(len(study.sources) + 1) * EXAMPLES * tokens,
            batch=min(study.runtime.most_tokens, BATCH * tokens),
            passes=1 + len(PERPLEXITIES) + 1,
            gpus=self.gpus("measure_gradients"),
            torch=True,
        )

    def summarise(self, wc: Wildcards | None = None) -> Workload:
        """Every item of every evaluation."""
        study = self.study
        models = len(study.models) * (1 + len(study.targets) * len(study.variants) * len(study.seeds))
        rows = sum(self.evaluate_base(_suite(study, name)).items for name in study.suites)
        return Workload(items=rows * models)

    report = summarise

    def _own(self, name: str) -> Any:
        """A task of the study that has examples; None: the harness has them."""
        task = self.study.tasks.get(name)
        return None if isinstance(task, LmEvalTask) else task

    def _prompt(self, name: str) -> float:
        """Mean tokens of the prompts that a task is evaluated on."""
        return self.sizes.prompt(name, self.study.evaluation.split) if self._own(name) else PROMPT

    def _part(self, wc: Wildcards) -> float:
        """Of a table's rows: all, or those of a shard."""
        return 1 / self.study.runtime.shards if getattr(wc, "shard", None) else 1

    def _share(self, wc: Wildcards) -> float:
        """Of the model's work on a table: all of it, a shard's, or none where shards have done it before."""
        return self._part(wc) if getattr(wc, "shard", None) else float(self.study.runtime.shards == 1)


def _suite(study: Study, name: str) -> SimpleNamespace:
    return SimpleNamespace(suite=name, model=next(iter(study.models)))
