"""Where every file of a study is: the table of all paths, and the names that can be read out of one.

    layout = Layout.of("demo")
    layout.masks.pattern                                                # for a rule: {wildcards} below results/demo/
    layout.masks.path(model="m", target="sums", variant="stm", draw="")  # results/demo/masks/m/sums/stm.parquet
    layout.masks.parse("results/demo/masks/m/sums/stm.parquet")         # {"model": "m", ...}, or None

No path is put together anywhere else. What a study's names imply together is in `study_files`.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from string import Formatter

# what a wildcard may be, as a regular expression; any other is a name without a slash, as short as it can be
WILDCARDS = {"seed": r"\d+", "shard": r"\d+of\d+", "draw": r"(\.draw\d+)?"}
NAME = r"[^./][^/]*?"
JOBS = ".jobs"  # the folder in which the jobs of a study remember their runs
DECLARING = ("model.json", "adapter.json")  # files that are written last and declare the folder around them whole
DESCRIBING = ("README.md", "run.json")  # files in such a folder that no result is made of, and that a user may edit


@dataclass(frozen=True)
class Artefact:
    """One kind of file.

    Attributes:
        template: its path below the study's folder of results, with {wildcards}.
        stage: the stage whose jobs make it; empty where no rule does.
        name: of such a job, with {wildcards}; by default `place` without its first folder and suffixes.
        first: what the same job declares first, by its name in `Layout`; empty: this.
        results: the study's folder of results with a slash behind it; empty outside the layout of a study.
        logs: the study's folder of logs, likewise.
    """

    template: str
    stage: str = ""
    name: str = ""
    first: str = ""
    results: str = ""
    logs: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            own = self.place.partition("/")[2].removesuffix(".parquet").removesuffix(".sequences")
            object.__setattr__(self, "name", own)

    def __get__(self, layout: "Layout | None", owner: type) -> "Artefact":
        """Itself, below the folders of the study whose layout is asked for it."""
        return self if layout is None else replace(self, results=f"{layout.results}/", logs=f"{layout.logs}/")

    @property
    def place(self) -> str:
        """The template of the folder that the file declares whole, or of the file itself."""
        folder, _, name = self.template.rpartition("/")
        return folder if name in DECLARING else self.template

    @property
    def declaration(self) -> str:
        """What the template adds to `place`."""
        return self.template.removeprefix(self.place)

    @property
    def pattern(self) -> str:
        """The file's path for a rule of Snakemake."""
        return self.results + self.template

    @property
    def log(self) -> str:
        """The path of its job's log for a rule of Snakemake."""
        return f"{self.logs}{self.stage}/{self.name}.log"

    @property
    def glob(self) -> str:
        """A pattern, below the study's folder of results, that every file of this kind matches."""
        return re.sub(r"(\{\w+\})+", "*", self.template)

    def path(self, **wildcards: object) -> str:
        """The path of one file. Args: the template's wildcards; others are ignored."""
        return self.results + self.template.format(**wildcards)

    def log_path(self, **wildcards: object) -> str:
        """The path of the log of the job that makes one file. Args: as of `path`."""
        return f"{self.logs}{self.stage}/{self.name.format(**wildcards)}.log"

    def parse(self, path: str | Path, **names: Iterable[str]) -> dict[str, str] | None:
        """The wildcards of a path.

        Args:
            path: of one file.
            names: by wildcard, what it can be. Needed where the template has two names with only a dot between them,
                as {split}.{source}, and these may have dots too.

        Returns:
            wildcards to what is there; None: it is not a path of this kind.
        """
        found = str(path)
        if not found.startswith(self.results):
            return None
        pattern = "".join(_regex(part, **names) for part in self.template.split("/"))
        read = re.fullmatch(pattern, f"/{found.removeprefix(self.results)}", flags=re.DOTALL)
        return read.groupdict() if read else None

    def parts(self) -> list[str]:
        """Regular expressions of the parts of `place`, from the first folder below the results."""
        return [_regex(part).removeprefix("/") for part in self.place.split("/")]


@dataclass(frozen=True)
class Layout:
    """The paths of one study.

    Args:
        results: its folder of results.
        logs: its folder of logs.
    """

    results: str
    logs: str = ""

    #          path below results/{study}/                                    stage; name of its job where it is another
    model = Artefact("models/{model}/model.json", "fetch_model")
    examples = Artefact("examples/{task}/{split}.parquet", "prepare_task")
    rehearsal = Artefact("rehearsals/{model}.json", "rehearse", "{model}")
    responses = Artefact("responses/{model}/{task}/{split}.{source}.parquet", "generate_responses")
    responses_shard = Artefact("responses/{model}/{task}/{split}.{source}.shard{shard}", "generate_responses")
    verdicts = Artefact("verdicts/{model}/{task}/{split}.{source}.parquet", "verify_responses")
    scores = Artefact("scores/{scorer}/{model}/{task}/{split}.{source}.parquet", "score_token_perplexity")
    sequences = Artefact(
        "scores/{scorer}/{model}/{task}/{split}.{source}.sequences.parquet", "score_token_perplexity", first="scores"
    )
    scores_shard = Artefact("scores/{scorer}/{model}/{task}/{split}.{source}.shard{shard}", "score_token_perplexity")
    masks = Artefact("masks/{model}/{target}/{variant}{draw}.parquet", "build_masks")
    adapter = Artefact("adapters/{model}/{target}/{variant}/seed{seed}/adapter.json", "train_adapter")
    given = Artefact("given/{model}/{variant}/adapter.json", "take_adapter")
    base_evaluation = Artefact("evaluations/{model}/base/{suite}.parquet", "evaluate_base", "{model}/{suite}")
    evaluation = Artefact("evaluations/{model}/{target}/{variant}/seed{seed}/{suite}.parquet", "evaluate_adapter")
    analysis = Artefact("tables/analyses/{model}/{target}/{analysis}.parquet", "analyse", "{model}/{target}/{analysis}")
    gradients = Artefact(
        "tables/gradients/{model}/{target}/norms.parquet", "measure_gradients", "{model}/{target}/norms"
    )
    summary = Artefact("tables/summary.parquet", "summarise")
    summary_csv = Artefact("tables/summary.csv", "summarise", "summary", first="summary")
    summary_md = Artefact("tables/summary.md", "summarise", "summary", first="summary")
    summary_tex = Artefact("tables/summary.tex", "summarise", "summary", first="summary")
    comparisons = Artefact("tables/comparisons.parquet", "summarise", "summary", first="summary")
    comparisons_csv = Artefact("tables/comparisons.csv", "summarise", "summary", first="summary")
    comparisons_md = Artefact("tables/comparisons.md", "summarise", "summary", first="summary")
    comparisons_tex = Artefact("tables/comparisons.tex", "summarise", "summary", first="summary")
    overlaps = Artefact("tables/overlaps.parquet", "summarise", "summary", first="summary")
    report = Artefact("report.html", "report", "report")
    ti_bwt = Artefact("figures/ti_bwt.svg", "report", "report", first="report")
    ti_bwt_pdf = Artefact("figures/ti_bwt.pdf", "report", "report", first="report")
    perplexity = Artefact("figures/perplexity.svg", "report", "report", first="report")
    perplexity_pdf = Artefact("figures/perplexity.pdf", "report", "report", first="report")
    sweeps = Artefact("figures/sweeps.svg", "report", "report", first="report")
    sweeps_pdf = Artefact("figures/sweeps.pdf", "report", "report", first="report")
    analyses = Artefact("figures/analyses.svg", "report", "report", first="report")
    analyses_pdf = Artefact("figures/analyses.pdf", "report", "report", first="report")
    best = Artefact("best/{model}/{target}")
    partial_report = Artefact("report.partial.html")
    own_study = Artefact("study.yaml")
    exported = Artefact("exports/{model}/{target}/{variant}/seed{seed}")

    @classmethod
    def of(cls, study: str, directory: str | Path = "") -> "Layout":
        """The layout of a study. Args: its id; the working directory of its runs, by default this process's."""
        results, logs = Path(directory, "results", study), Path(directory, "logs", study)
        return cls(str(results), str(logs))

    @property
    def jobs(self) -> str:
        """The folder in which jobs remember their runs."""
        return f"{self.results}/{JOBS}"

    @classmethod
    def outputs(cls) -> dict[str, Artefact]:
        """Everything that rules make, by its name here."""
        return {name: kind for name, kind in vars(cls).items() if isinstance(kind, Artefact) and kind.stage}


def _regex(part: str, **names: Iterable[str]) -> str:
    """A part of a template as a regular expression, with the slash before it. Args: `names` as of `Artefact.parse`."""
    found = "/"
    for text, wildcard, _, _ in Formatter().parse(part):
        found += re.escape(text)
        if wildcard:
            allowed = one_of(names[wildcard]) if wildcard in names else WILDCARDS.get(wildcard, NAME)
            found += f"(?P<{wildcard}>{allowed})"
    return found


def one_of(names: Iterable[str]) -> str:
    """A regular expression of these names and no others."""
    return "|".join(re.escape(name) for name in sorted(names))


# --- names that belong to a path without being one of its own ---------------------------------------------------------


def draw_of(seed: int | str | None) -> str:
    """The wildcard `draw` of masks that are drawn at random by a seed; empty where there is none."""
    return "" if seed is None else f".draw{seed}"


def seed_of(draw: str) -> int | None:
    """The seed of a wildcard `draw`: the inverse of `draw_of`."""
    return int(draw.removeprefix(".draw")) if draw else None


def tuned_scorer(model: str, target: str, variant: str, seed: int | str) -> str:
    """The wildcard `scorer` of a model with an adapter on it. A model's own is its id, which has no plus."""
    return f"{model}+{target}.{variant}.seed{seed}"


def scoring_model(scorer: str) -> str:
    """The id of the model of a wildcard `scorer`."""
    return scorer.partition("+")[0]


def shards_of(number: int) -> list[str]:
    """The wildcards `shard` of a table that a number of jobs share."""
    return [f"{n}of{number}" for n in range(1, number + 1)]


def same_file(splits: Iterable[str], sources: Iterable[str]) -> tuple[tuple[str, str], tuple[str, str], str] | None:
    """Two pairs of split and source that would write the same file, and its name without a suffix; None: no two do.

    Args:
        splits: of all tasks, since a path is read without looking up which task has which split.
        sources: all sources.
    """
    pairs: dict[str, tuple[str, str]] = {}
    for pair in product(splits, sources):
        if (other := pairs.setdefault(".".join(pair), pair)) != pair:
            return other, pair, ".".join(pair)
    for name, pair in pairs.items():
        # {split}.{source} with what sequences and the logs of shards have behind it
        stem = re.sub(rf"\.(sequences|shard{WILDCARDS['shard']})$", "", name)
        if stem != name and stem in pairs:
            return pairs[stem], pair, name
    return None


# --- what a job leaves beside its results -----------------------------------------------------------------------------


def job_name(log: Path, stage: str) -> str:
    """What tells one job of a stage from the others: its log's path below the stage's folder."""
    return log.with_suffix("").as_posix().partition(f"/{stage}/")[2] or log.stem


def job_title(log: Path, stage: str) -> str:
    """A job in its lines: its stage and its name; once where they are the same."""
    name = job_name(log, stage)
    return stage if name == stage else f"{stage} {name}"


def memory_of(jobs: str | Path, output: str | Path) -> Path:
    """The folder in which a job remembers its runs.

    It follows from the path of the job's first output below the results: `masks/m/t/v.parquet` has
    `.jobs/masks/m/t/.v.parquet/`. The last part alone begins with a dot, so that no job's folder is in another's.

    Args:
        jobs: the folder of all jobs of the study.
        output: the job's first declared output.
    """
    inner = Path(os.path.relpath(output, Path(jobs).parent))
    # an output elsewhere, of a command run by hand, is remembered here too
    folders = ["..." if part == ".." else part for part in inner.parts[:-1]]
    return Path(jobs, *folders, f".{inner.name}")


def results_of(memory: Path) -> Path:
    """The study's folder of results that a memory belongs to. Args: the folder of one job."""
    return next((folder.parent for folder in memory.parents if folder.name == JOBS), memory)


def outputs_with(layout: Layout, path: str) -> list[str]:
    """Every output that the job which makes a file declares, the first one first. Args: the path of any of them."""
    first = first_output(path)
    found = [first]
    for name, kind in Layout.outputs().items():
        if kind.first and (wildcards := getattr(layout, kind.first).parse(first)) is not None:
            found.append(getattr(layout, name).path(**wildcards))
    return found


def first_output(path: str) -> str:
    """The first output of the job that makes a file, which its memory is named by. Args: the path of any output."""
    for kind in Layout.outputs().values():
        # sought from the left: the folder of results may itself have such a part
        place = re.search(rf"(?<=/){_whole(kind)}$", path, flags=re.DOTALL) if kind.first else None
        if place:
            return path[: place.start()] + getattr(Layout, kind.first).template.format(**place.groupdict())
    return path


def _whole(kind: Artefact) -> str:
    return "".join(map(_regex, kind.template.split("/"))).removeprefix("/")


def earlier_memory_of(jobs: str | Path, stage: str, name: str) -> Path:
    """The folder in which earlier versions let a job remember its runs. Args: as above; its stage; its `job_name`."""
    return Path(jobs, stage, name)


def has_own_output(memory: Path) -> bool:
    """Whether a job's folder is where `memory_of` puts it, and not where earlier versions did."""
    return memory.name.startswith(".")


def checkpoints_of(adapter: Path) -> Path:
    """The hidden folder of a training's checkpoints, beside the adapter's own. Args: the adapter's declared output."""
    return adapter.parent.with_name(f".{adapter.parent.name}.checkpoints")


def held_out_of(adapter: Path) -> Path:
    """Where a training leaves its loss on held-out references. Args: the adapter's declared output."""
    return adapter.with_name("held_out.parquet")


def trained_from(checkpoints: Path) -> Path | None:
    """The folder of the adapter that checkpoints belong to; None: the path is not a folder of checkpoints."""
    found = re.fullmatch(rf"\.(seed{WILDCARDS['seed']})\.checkpoints", checkpoints.name)
    return checkpoints.with_name(found[1]) if found else None


def training_record(adapter: Path) -> Path:
    """What a training cost and has seen, beside what it made. Args: the adapter's declared output."""
    return adapter.with_name("run.json")


def rank_log(log: Path, rank: int) -> Path:
    """The log of one of several processes of a job. Args: the job's log; the process's rank."""
    return log.with_suffix(f".rank{rank}.log")


def is_of_a_process(log: Path) -> bool:
    """Whether a log is that of one of several processes of a job, and not the job's own."""
    return re.fullmatch(r"seed\d+\.rank\d+\.log", log.name) is not None


def run_record(log: Path) -> Path:
    """What a job cost, beside its log."""
    return log.with_suffix(".run.json")


def run_records(logs: Path) -> list[Path]:
    """The records of jobs below a folder of logs, without those of a job's own processes."""
    found = sorted(logs.rglob("*.run.json"))
    return [path for path in found if not re.search(r"(^|/)seed\d+\.rank\d+\.run\.json$", path.as_posix())]
