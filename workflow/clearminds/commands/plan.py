"""Says what a study will cost before it runs: `make plan`.

    python -m clearminds.commands.plan [--configfile STUDY.yaml] [--gpu a100] [--utilisation 0.3] [--whole]
        [--directory DIR] [any argument of snakemake]

Jobs are those of Snakemake's own dry-run, each with one GPU, a training with as many as `runtime: gpus` says. Tokens
are counted where tables are there to be counted, else told by the characters of prompts and references, where these can
be read here; answers are upper bounds: each as long as it may be, no example dropped, nothing found in a store.
"""

import argparse
from pathlib import Path
from types import SimpleNamespace

from tabulate import tabulate

from clearminds.checkout import CONFIG
from clearminds.commands.run_command import run_command
from clearminds.config.load import load_study
from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.job.finding_devices import offered
from clearminds.run.dry_run import Planned, plan
from clearminds.run.sizing.costs import Cost, Rates, cost
from clearminds.run.sizing.gpu_memory import gpu_memory
from clearminds.run.sizing.gpus import gpus_of, with_gpus
from clearminds.run.sizing.hardware import DEVICES, UTILISATION, Device, of_machine
from clearminds.run.sizing.sizes import PROMPT, REFERENCE, UNKNOWN_ITEMS, Sizes
from clearminds.run.sizing.texts import PER_TOKEN
from clearminds.run.sizing.workload import Workloads

# beginnings of rules' names, and the key of `runtime` that makes their batches smaller
SMALLER = (("train", "batch_tokens"), ("score", "batch_tokens"), ("gen", "generate_tokens"), ("eval", "batch_rows"))
PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def costs(jobs: list[Planned], works: Workloads, device: Device, utilisation: float, rates: Rates) -> dict[str, Cost]:
    """What the jobs of each rule cost. Args: of `clearminds.run.sizing.costs.cost`, for every job of a plan."""
    found: dict[str, Cost] = {}
    for job in jobs:
        one = cost(job.stage, SimpleNamespace(**job.wildcards), works, device, utilisation, rates)
        found[job.rule] = found.get(job.rule, Cost()) + one
    return found


def memory(jobs: list[Planned], works: Workloads) -> dict[str, float]:
    """Bytes of a GPU that the largest job of each rule needs. Args: of a plan; works of the study."""
    found: dict[str, float] = {}
    for job in jobs:
        needed = gpu_memory(job.stage, SimpleNamespace(**job.wildcards), works)
        found[job.rule] = max(found.get(job.rule, 0), needed)
    return found


def table(found: dict[str, Cost], needed: dict[str, float]) -> str:
    """One line per rule and their sum. Args: costs, and bytes of a GPU's memory; without these the column is left out.

    Jobs have a GPU each: the last line has the largest need.
    """
    rows = [*found.items(), ("together", sum(found.values(), Cost()))]
    needed = {**needed, "together": max(needed.values(), default=0)}
    shown = [
        (name, c.jobs, *map(readable, (c.read, c.written, c.flops)), hours(c.seconds), readable(c.disk, "B"))
        + ((gigabytes(needed[name]),) if len(needed) > 1 else ())
        for name, c in rows
    ]
    heads = ["rule", "jobs", "tokens read", "tokens written", "FLOPs", "device hours", "disk"]
    heads += ["GPU memory"] * (len(needed) > 1)
    return tabulate(shown, heads, colalign=("left", *["right"] * (len(heads) - 1)), disable_numparse=True)


def fits(needed: dict[str, float], device: Device, study: Study) -> str:
    """Whether a device's memory will do, in words. Args: bytes by rule; the device; the study."""
    said = f"{gigabytes(device.memory)} ({device.name})"
    too_large = [name for name in needed if needed[name] > device.memory]
    if not too_large:
        return f"GPU memory: about, for full batches; {max(needed, key=needed.__getitem__)} needs most, and fits {said}"
    keys = dict.fromkeys(key for name in too_large for beginning, key in SMALLER if name.startswith(beginning))
    lower = [f"lower {', '.join(keys)}"] * bool(keys)
    if "train_adapter" in too_large and not study.runtime.gradient_checkpointing:
        lower.insert(0, "set gradient_checkpointing: true")
    remedies = [f"under runtime {' and '.join(lower)}"] * bool(lower)
    if any(model.quantization == "none" for model in study.models.values()):
        remedies.append("load 4-bit weights (models: quantization: 4bit)")
    return (
        f"GPU memory: about, for full batches; more than {said}: {', '.join(too_large)}; "
        f"{'; '.join([*remedies, 'take a larger GPU'])}"
    )


def assumed(sizes: Sizes) -> list[str]:
    """What a plan had to assume about the study, in words."""
    study, said = sizes.study, []
    splits = [(name, split) for name, task in study.tasks.items() for split in task.splits]
    downloaded = [name for suite in study.suites.values() for name in suite if name.startswith("lm_eval:")]
    counted = sizes.texts.counted() if sizes.texts else []
    if counted:
        said.append(f"about {PER_TOKEN} characters a token in {', '.join(counted)}")
    if downloaded or any(sizes.lengths_guessed(*one) for one in splits):
        said.append(f"{'elsewhere ' * bool(counted)}{PROMPT} tokens a prompt, {REFERENCE} a reference")
    unknown = [name for name, split in splits if sizes.items_guessed(name, split)]
    if not study.evaluation.limit:
        unknown += downloaded
    if unknown:
        said.append(f"{UNKNOWN_ITEMS:,} items of {', '.join(dict.fromkeys(unknown))}")
    said += [f"{sizes.parameters(m) / 1e9:g} billion parameters of {m}" for m in study.models if sizes.size_guessed(m)]
    return said


def readable(number: float, unit: str = "") -> str:
    """Three digits, a prefix of the SI and the unit; `-` for nothing."""
    if not number:
        return "-"
    size, prefix = next(((size, prefix) for size, prefix in PREFIXES if number >= size), (1, ""))
    return f"{number / size:.3g} {prefix}{unit}".strip()


def gigabytes(size: float) -> str:
    """Of an estimate, in two digits or three; `-` for nothing."""
    return f"{size / 1e9:.{0 if size >= 1e10 else 1}f} GB" if size else "-"


def hours(seconds: float) -> str:
    """Hours with as many digits as mean something; `-` for none."""
    return f"{seconds / 3600:.2g}" if 0 < seconds < 36e3 else f"{seconds / 3600:,.0f}" if seconds else "-"


def main(arguments: list[str] | None = None) -> None:
    """Print the plan. Args: of the command line; what is not known here goes to snakemake.

    Raises:
        UserError: the study, the device or its utilisation is wrong.
    """
    parser = argparse.ArgumentParser(
        prog="plan", description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--configfile", type=Path, default=CONFIG, help="the study")
    parser.add_argument("--directory", "-d", type=Path, default=Path(), help="where the run works; default: here")
    parser.add_argument(
        "--gpu", help=f"one of {', '.join(DEVICES)}; default: this machine's, else a100; cpu where jobs use no GPU"
    )
    parser.add_argument("--utilisation", type=float, default=UTILISATION, help="share of the device's peak")
    parser.add_argument("--whole", action="store_true", help="as if nothing were there yet")
    given, others = parser.parse_known_args(arguments)
    study, name = planned_for(load_study([given.configfile]), given.gpu and given.gpu.lower())
    if name not in DEVICES:
        raise UserError(f"--gpu: {given.gpu} is not known; known: {', '.join(DEVICES)}")
    if not 0 < given.utilisation <= 1:
        raise UserError(f"--utilisation: {given.utilisation} is not a share; give one above 0 and up to 1, such as 0.3")
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is not a folder; give the one where the workflow runs")
    models = [one.model for one in offered()] if given.gpu is None and study.runtime.devices else []
    (device, unknown), directory = of_machine(name, models), given.directory.resolve()
    layout = Layout.of(study.study, directory)
    works = Workloads(study, layout.results, directory, read_texts=True)
    rates = Rates.measured(Path(layout.logs), study, device)
    jobs = plan(
        ["--configfile", str(given.configfile.resolve()), *(["--forceall"] if given.whole else []), *others], directory
    )
    if not jobs:
        print("nothing to do")
        return
    if unknown is not None:
        print(unknown)
    found = costs(jobs, works, device, given.utilisation, rates)
    together = sum(found.values(), Cost())
    needed = memory(jobs, works) if device.memory else {}
    print(table(found, needed), end="\n\n")
    share = f"{device.name} at {given.utilisation:.0%} of its peak"
    print(f"device hours: {share}{calibrated(together)}; starts of jobs come on top")
    if any(needed.values()):
        print(fits(needed, device, study))
    if said := assumed(works.sizes):
        print(f"assumed until they are counted: {'; '.join(said)}")
    print("upper bounds: every answer as long as it may be, no example dropped, nothing found in a store")


def planned_for(study: Study, gpu: str | None) -> tuple[Study, str]:
    """A study with a number for `runtime: gpus`, and the name of the device that it is planned for.

    Args:
        study: the study as it was read.
        gpu: the device that is asked about, whatever this machine has; None: none.
    """
    if gpu:
        return (with_gpus(study, int(gpu != "cpu")) if study.runtime.gpus == "auto" else study), gpu
    here = gpus_of(study)
    here.settle()
    known = (name for one in here.offered for name, device in DEVICES.items() if device.is_called(one.model))
    return here.study, next(known, "a100") if here.per_training else "cpu"


def calibrated(together: Cost) -> str:
    """How much of the time rests on measured rates, in words."""
    if not together.measured:
        return ", no run on one to go by"
    return f"; {together.measured / together.seconds:.0%} of them by the rates of runs on one"


if __name__ == "__main__":
    run_command(main)
