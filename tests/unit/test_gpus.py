"""`runtime: gpus: auto`: what it becomes on which machine, the line that a run says of it, and that no spec sees it."""

import subprocess

import pytest
from demo_study import demo, jobs

from clearminds.commands.plan import planned_for
from clearminds.errors import UserError
from clearminds.job import finding_devices
from clearminds.job.finding_devices import SCHEDULERS, Device
from clearminds.run.sizing import gpu_support, gpus
from clearminds.run.sizing.gpus import DECIDED, gpus_of
from clearminds.run.specs import Specs

A100 = "NVIDIA A100-SXM4-80GB"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """A machine without GPUs, no scheduler, nothing chosen or decided."""
    for name in (*SCHEDULERS, "JOB_ID", "CUDA_VISIBLE_DEVICES", "CLEARMINDS_DEVICES", DECIDED):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gpu_support, "others", lambda: None)
    monkeypatch.setattr(gpu_support, "unusable", lambda: None)
    monkeypatch.setattr(gpu_support, "not_built", lambda: None)
    has(monkeypatch)


def has(monkeypatch, *models: str) -> None:
    """Give the machine GPUs of these models."""
    found = [Device(str(n), f"bus{n}", f"GPU-{n}", model) for n, model in enumerate(models)]
    for module in (finding_devices, gpus):
        monkeypatch.setattr(module, "machine", lambda: found)


def said(asked: int | str = "auto", *, limit: int | None = None, cores: int | None = 16) -> tuple[int, str | None]:
    """GPUs of a training and the line. Args: as in the study; `--resources gpu`; `--cores`."""
    found = gpus_of(demo({"runtime/gpus": asked}))
    found.settle()
    return found.per_training, found.line(found.limit() if limit is None else limit, cores)


def test_auto_is_the_default_and_one_gpu_a_job_where_there_are_any(monkeypatch):
    assert demo().runtime.gpus == "auto"
    assert said() == (0, "GPUs: none found; jobs run on the CPU")
    has(monkeypatch, A100, A100)
    assert said() == (1, f"GPUs: 2 x {A100}; one a job, up to 2 jobs at a time")
    has(monkeypatch, A100, "NVIDIA T4", A100)
    assert said() == (1, f"GPUs: 2 x {A100}, 1 x NVIDIA T4; one a job, up to 3 jobs at a time")


def test_jobs_ask_for_what_auto_has_become(monkeypatch):
    for models, asks in (((), {}), ((A100, A100), {"gpu": 1})):
        has(monkeypatch, *models)
        launched = Specs(gpus_of(demo()).study).launch("train_adapter")
        assert {key: value(None) for key, value in launched.items() if key == "gpu"} == asks
        assert f'"gpus":{len(asks)}' in launched["how"](None, 1)


def test_jobs_ask_for_no_gpu_that_the_driver_cannot_use_when_the_run_begins(monkeypatch):
    has(monkeypatch, A100)
    found = gpus_of(demo())
    specs = Specs(found.study)
    launched = specs.launch("train_adapter")
    monkeypatch.setattr(gpu_support, "unusable", lambda: "WHY")
    found.settle()
    specs.use(found.study)
    assert launched["gpu"](None) == 0 and '"gpus":0' in launched["how"](None, 1)
    assert specs.workloads.gpus("train_adapter") == specs.study.runtime.gpus == 0


def test_devices_are_looked_for_once(monkeypatch):
    has(monkeypatch, A100)
    looked: list[None] = []
    monkeypatch.setattr(gpus, "offered", lambda: looked.append(None) or finding_devices.offered())
    assert said() == (1, f"GPUs: 1 x {A100}; one a job, 1 job at a time")
    assert len(looked) == 1


def test_a_build_of_torch_without_cuda_is_known_without_the_driver(monkeypatch):
    has(monkeypatch, A100)
    monkeypatch.setattr(gpu_support, "not_built", lambda: "WHY")
    assert gpus_of(demo()).per_training == 0
    assert gpus_of(demo(), own_torch=False).per_training == 1


def test_auto_is_in_no_spec(monkeypatch):
    before = jobs(gpus_of(demo()).study)
    has(monkeypatch, A100)
    assert jobs(gpus_of(demo()).study) == before == jobs(demo({"runtime/gpus": 2}))


@pytest.mark.parametrize(
    ("environment", "count", "line"),
    [
        ({"CUDA_VISIBLE_DEVICES": "1,2"}, 1, f'2 x {A100}, those of CUDA_VISIBLE_DEVICES="1,2"; one a job, up to 2 '),
        ({"CUDA_VISIBLE_DEVICES": "GPU-2"}, 1, f'1 x {A100}, those of CUDA_VISIBLE_DEVICES="GPU-2"; one a job, 1 job '),
        (
            {"CUDA_VISIBLE_DEVICES": ""},
            0,
            f'none found (CUDA_VISIBLE_DEVICES="" names none of 4 x {A100}); jobs run on',
        ),
        (
            {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1"},
            1,
            f"2 x {A100} of this allocation; one a job, up ",
        ),
        (
            {"SLURM_JOB_ID": "7"},
            0,
            "none found (the scheduler names none in CUDA_VISIBLE_DEVICES, and this machine",
        ),
    ],
)
def test_auto_takes_what_a_user_or_a_scheduler_leaves_of_the_machine(monkeypatch, environment, count, line):
    has(monkeypatch, *[A100] * 4)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found, whole = said()
    assert found == count and whole.startswith(f"GPUs: {line}")


@pytest.mark.parametrize(
    ("asked", "limits", "line"),
    [
        (0, {}, "; idle, as the study has runtime: gpus: 0: jobs run on the CPU (gpus: auto would use them)"),
        (1, {}, "; one a job, up to 4 jobs at a time"),
        (2, {}, "; 2 a training and one any other job of a model, up to 4 jobs at a time"),
        (8, {}, "; trainings will fail, as runtime: gpus is 8: set it to 4 or lower"),
        (1, {"limit": 2}, "; one a job, up to 2 jobs at a time, as resources: gpu=2 allows no more: 2 stay idle"),
        ("auto", {"limit": 3}, "; one a job, up to 3 jobs at a time, as resources: gpu=3 allows no more: 1 stays idle"),
        ("auto", {"limit": 9}, "; one a job, up to 4 jobs at a time"),
        ("auto", {"cores": 2}, "; one a job, up to 2 jobs at a time, as --cores 2 allows no more: 2 stay idle"),
        ("auto", {"cores": None}, "; one a job, up to 4 jobs at a time"),
        (4, {"cores": 1}, "; 4 a training and one any other job of a model, 1 job at a time"),
    ],
)
def test_a_gpu_that_stays_idle_is_named_with_the_key(monkeypatch, asked, limits, line):
    has(monkeypatch, *[A100] * 4)
    assert said(asked, **limits)[1] == f"GPUs: 4 x {A100}{line}"


def test_a_number_on_a_machine_without_gpus(monkeypatch):
    assert said(0) == (0, None)
    failing = "jobs of a model will fail, as runtime: gpus is 1: auto or 0 runs on the CPU"
    assert said(1) == (1, f"GPUs: none found; {failing}")
    # a scheduler that names no devices may still have given some
    monkeypatch.setenv("PBS_JOBID", "7")
    assert said(1) == (1, "GPUs: none found; jobs of a model take what torch shows them")


def test_gpus_that_torch_cannot_use_are_left_idle_with_the_reason(monkeypatch):
    has(monkeypatch, A100)
    monkeypatch.setattr(gpu_support, "unusable", lambda: "WHY")
    assert said() == (0, f"GPUs: 1 x {A100}; idle, jobs run on the CPU: WHY")
    assert said(1) == (1, f"GPUs: 1 x {A100}; idle, jobs of a model will fail: WHY")
    # jobs in conda environments have a torch of their own
    found = gpus_of(demo(), own_torch=False)
    found.settle()
    assert found.per_training == 1


def test_gpus_that_no_driver_shows_are_named(monkeypatch):
    monkeypatch.setattr(gpu_support, "others", lambda: "WHICH")
    assert said() == (0, "GPUs: none found (WHICH); jobs run on the CPU")


def test_a_job_s_own_snakemake_does_not_decide_again(monkeypatch):
    monkeypatch.setenv(DECIDED, "1")
    assert gpus_of(demo(), one_job=True).per_training == 1
    assert gpus_of(demo(), one_job=False).per_training == 0
    assert gpus_of(demo({"runtime/gpus": 2}), one_job=True).per_training == 2


def test_auto_where_jobs_are_submitted_names_the_key_and_what_to_write():
    with pytest.raises(UserError) as caught:
        gpus.refuse_auto()
    message = str(caught.value)
    assert "\n" not in message and message.startswith("runtime: gpus: auto, the default, ")
    for remedy in ("runtime: {gpus: 1}", "{gpus: 0} for the CPU", "--config runtime='{gpus: 1}'"):
        assert remedy in message


@pytest.mark.parametrize(
    ("models", "gpus", "gpu", "planned"),
    [
        ([], "auto", None, (0, "cpu")),
        ([], "auto", "h100", (1, "h100")),
        ([A100], "auto", "cpu", (0, "cpu")),
        (["Some GPU", A100], "auto", None, (1, "a100")),
        (["NVIDIA GeForce RTX 4090"], "auto", None, (1, "rtx4090")),
        (["Some GPU"], "auto", None, (1, "a100")),
        (["NVIDIA GeForce RTX 4090"], 0, None, (0, "cpu")),
        ([], 2, None, (2, "a100")),
        (["NVIDIA GeForce RTX 4090"], 1, None, (1, "rtx4090")),
        (["NVIDIA GeForce RTX 4090"], 1, "h100", (1, "h100")),
        (["Some GPU"], 1, None, (1, "a100")),
    ],
)
def test_a_plan_is_for_the_device_that_is_named_or_found(monkeypatch, models, gpus, gpu, planned):
    has(monkeypatch, *models)
    study, name = planned_for(demo({"runtime/gpus": gpus}), gpu)
    assert (study.runtime.gpus, name) == planned


# --- what torch and its driver can use --------------------------------------------------------------------------------


@pytest.fixture
def support(monkeypatch, tmp_path):
    """What is installed here: torch's version and CUDA, and what the driver's library answers."""
    monkeypatch.undo()
    monkeypatch.delenv("CLEARMINDS_DEVICES", raising=False)

    def install(torch: tuple[str, str | None] | None, driver: str) -> str | None:
        monkeypatch.setattr(gpu_support, "torch_build", lambda: torch)
        monkeypatch.setattr(gpu_support, "ASK_DRIVER", driver)
        return gpu_support.unusable()

    return install


T4, V100 = "7 5 Tesla T4", "7 0 V100-SXM2-16GB"
CUDA_13 = ("2.13.0+cu130", "13.0")


@pytest.mark.parametrize(
    ("torch", "driver", "reason"),
    [
        (CUDA_13, "print(0, 13000)", None),
        (CUDA_13, f"print(0, 13000); print({T4!r})", None),
        (("2.11.0+cu128", "12.8"), f"print(0, 13000); print({V100!r})", None),
        (CUDA_13, "print(0, 13020)", None),
        (("2.13.0", "12.8"), "print(0, 12040)", None),
        (("2.13.0", "12.8"), "print(0, 13000)", None),
        (None, "print(0, 13000)", None),
        (
            ("2.13.0+cpu", None),
            "",
            "the installed torch 2.13.0+cpu is not built for them: pip uninstall -y torch && pip install torch==2.13.0",
        ),
        (
            CUDA_13,
            "print(0, 12040)",
            "their driver is for CUDA 12.4 and torch 2.13.0+cu130 for 13.0: install a newer driver, or a build of "
            "torch for CUDA 12 (https://pytorch.org)",
        ),
        (
            CUDA_13,
            f"print(0, 13000); print({V100!r}); print({V100!r})",
            "V100-SXM2-16GB (compute capability 7.0): torch 2.13.0 for CUDA 13 needs 7.5; install a build of torch for "
            "CUDA 12",
        ),
        (
            CUDA_13,
            f"print(0, 13000); print({V100!r}); print({T4!r}); print('6 1 GTX 1050')",
            "V100-SXM2-16GB (compute capability 7.0), GTX 1050 (compute capability 6.1): torch 2.13.0 for CUDA 13 "
            "needs 7.5; install a build of torch for CUDA 12, or set CUDA_VISIBLE_DEVICES to the other GPUs",
        ),
        (
            CUDA_13,
            "print(803, 13000)",
            "their driver does not start (cuInit gives 803): see nvidia-smi; restart after a driver's update",
        ),
        (
            CUDA_13,
            "import ctypes; ctypes.CDLL('no-such-libcuda.so.1')",
            "their driver's library libcuda.so.1 cannot be loaded: install the driver, or show it to the container",
        ),
    ],
)
def test_why_torch_cannot_use_a_gpu(support, torch, driver, reason):
    assert support(torch, driver) == reason


def test_pretended_devices_ask_nothing_of_torch(support, monkeypatch):
    monkeypatch.setenv("CLEARMINDS_DEVICES", "0")
    assert support(("2.13.0+cpu", None), "") is None


class Driver:
    """Two devices, in place of libcuda.so.1, whose functions write where they are told to."""

    def __init__(self, library: str):
        assert library == "libcuda.so.1"

    @staticmethod
    def cuInit(flags):
        assert flags == 0
        return 0

    @staticmethod
    def cuDriverGetVersion(where):
        where._obj.value = 13000

    @staticmethod
    def cuDeviceGetCount(where):
        where._obj.value = 2

    @staticmethod
    def cuDeviceGet(where, place):
        where._obj.value = place

    @staticmethod
    def cuDeviceGetAttribute(where, which, device):
        where._obj.value = {75: (7, 8), 76: (0, 9)}[which][device]

    @staticmethod
    def cuDeviceGetName(where, size, device):
        assert size == len(where)
        where.value = b"a V100" if device == 0 else b"an L4"


def test_the_driver_tells_its_version_and_each_device(monkeypatch, capsys):
    monkeypatch.setattr("ctypes.CDLL", Driver)
    exec(gpu_support.ASK_DRIVER, {})
    assert capsys.readouterr().out == "0 13000\n7 0 a V100\n8 9 an L4\n"


def test_a_driver_that_hangs_is_said(support, monkeypatch):
    def late(command):
        raise subprocess.TimeoutExpired(command, 60)

    monkeypatch.setattr(gpu_support, "answer", late)
    assert support(CUDA_13, "") == (
        "their driver has not answered within 60 seconds: see nvidia-smi; restart the machine"
    )


def test_the_build_of_torch_is_read_as_torch_tells_it():
    import torch

    assert gpu_support.torch_build() == (torch.__version__, torch.version.cuda)


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([], None),
        ([("0x8086", "0x030000")], None),
        ([("0x10de", "0x0c0330")], None),  # the USB port of a graphics card that is given away
        (
            [("0x8086", "0x030000"), ("0x10de", "0x030200")],
            "one of NVIDIA's is in this machine, but no driver shows it",
        ),
        ([("0x1002", "0x030000")], "one of AMD's is not used: only NVIDIA's are"),
        ([("0x1002", "0x120000")], "one of AMD's is not used"),
    ],
)
def test_what_else_is_in_the_machine(monkeypatch, tmp_path, devices, words):
    monkeypatch.undo()
    monkeypatch.setattr(gpu_support, "PCI", tmp_path)
    monkeypatch.setattr(gpu_support.platform, "system", lambda: "Linux")
    for n, (vendor, kind) in enumerate(devices):
        (tmp_path / str(n)).mkdir()
        (tmp_path / str(n) / "vendor").write_text(f"{vendor}\n")
        (tmp_path / str(n) / "class").write_text(f"{kind}\n")
    found = gpu_support.others()
    assert found is None if words is None else found.startswith(words)


def test_apple_s_gpu_is_named(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(gpu_support.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(gpu_support.platform, "machine", lambda: "arm64")
    assert gpu_support.others() == "that of Apple is not used: only NVIDIA's are"
