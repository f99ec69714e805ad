"""What a job of a certain size asks of a cluster: host memory in MB, and run time in minutes.

Both are meant to be a little too much: a job that asks for too little is killed, one that asks for far too much waits
longer in the queue. The speeds are those of slow machines; where a partition allows less, or a machine is
slower still, `set-resources` of the profile takes precedence.
"""

from math import ceil

from clearminds.run.sizing.workload import Workload

# host memory, in MB
SNAKEMAKES = 500  # on a cluster two nested ones wait beside every job; measured .4 GB
PYTHON = 300  # and tables; measured .2 GB
TORCH = 1000  # with transformers and PEFT; measured .5 GB
CUDA = 3000  # what driver and libraries keep of the host's memory per device
VLLM = 5000  # a process of its own, with 2 GiB of cache where it runs on the CPU; measured 3.3 GB
PER_TOKEN = 0.4  # of a batch on the CPU, per pass and for a model of `SMALL` parameters: activations and logits
SMALL = 135e6
PER_ITEM = 0.01  # 10 KB of text

# run time
STARTING = 15 * 60  # seconds: a slow file system, imports, loading
CPU, GPU = 2e10, 2e13  # floating-point operations per second of a job's CPUs, and of a device: an old one, in float32
ONE_BY_ONE = 4  # what generating costs over reading
LOADING = 100e6  # bytes per second
FETCHING = 20e6  # from a hub
SECONDS_PER_ITEM = 0.05
SECONDS_TO_JUDGE = 0.5  # an answer: code that runs, or a slow comparison of formulas
LONGEST = 24 * 60  # minutes: what most partitions allow; a longer training goes on from its checkpoint when retried


def host_memory(work: Workload, attempt: int = 1) -> int:
    """Host memory of a job in MB, nothing of it on a GPU.

    Args:
        work: what the job does.
        attempt: 1 at first; each retry asks for as much again.

    Returns:
        at least 600, below which two nested Snakemakes and a job do not fit.
    """
    memory = SNAKEMAKES + PYTHON + work.items * PER_ITEM + work.held / 1e6
    # each of a training's processes imports torch; the weights' file is in memory once for all
    memory += TORCH * work.torch * max(work.gpus, 1) + work.parameters * work.weight_bytes / 1e6
    memory += VLLM * work.vllm
    if work.gpus:
        memory += CUDA * work.gpus
    else:
        # hidden size times layers, which activations go by, grows as the root of the parameters
        memory += work.batch * work.passes * PER_TOKEN * (work.parameters / SMALL) ** 0.5
    return ceil(memory / 100) * 100 * attempt


def minutes(work: Workload) -> int:
    """Run time of a job in minutes, retried or not. Args: what the job does. Returns: at most `LONGEST`."""
    speed = GPU * work.gpus if work.gpus else CPU
    operations = 2 * work.parameters * (work.passes * work.read + ONE_BY_ONE * work.written)
    loading = work.parameters * work.weight_bytes / LOADING
    seconds = STARTING + loading + work.fetched / FETCHING + operations / speed
    seconds += work.items * SECONDS_PER_ITEM + work.judged * SECONDS_TO_JUDGE
    return min(ceil(seconds / 60), LONGEST)
