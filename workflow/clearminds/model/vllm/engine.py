"""vLLM in a process and an environment of its own: `python -m clearminds.model.vllm.engine PARENT`.

Token ids in, token ids out: nothing is tokenised here. One JSON object per line, requests on standard input and one
answer each on standard output:

    {"model", "adapter", "rank", "dtype", "longest", "gpus", "trust_remote_code"}    ->  {"version", "device"}
    {"prompts", "seeds", "temperature", "top_p", "max_new_tokens", "ends"}   ->  {"tokens", "peak_memory_bytes"}

or `{"error", "where", "kind"}`, after which it ends (where: import, device, model, adapter, generation; kind: memory,
adapter, other). It ends too with its input and with the process PARENT. Imports nothing but the standard library and
vLLM: its environment has no more.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import traceback

# Version of the responses, part of the name of the store's namespace. Raise it when the same model, dtype, prompt and
# seed are asked for with other settings, so that they give other tokens than before, beyond rounding.
ARITHMETIC = 1
PARENT_DEATH = 1  # PR_SET_PDEATHSIG of prctl
GPU_SHARE = 0.85  # of a device's memory; the job that started this holds a CUDA context on it


def main() -> None:
    """Answer requests until there are no more."""
    _die_with(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal's processes; the parent decides
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print, in C too, stays out of the answers
    engine, adapter, where = None, None, "import"
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if engine is None:
                from vllm import __version__

                where = "device"
                device = _device(request["gpus"], __version__)
                where = "model"
                engine = _load(request)
                if request["adapter"]:
                    where = "adapter"
                    engine.llm_engine.add_lora(_lora(request["adapter"]))
                answer = {"version": __version__, "device": device}
                adapter, where = request["adapter"], "generation"
            else:
                tokens = generate(engine, request, adapter)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
                answer = {"tokens": tokens, "peak_memory_bytes": peak}
            print(json.dumps(answer), file=answers, flush=True)
    except Exception as error:
        traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        answer = {"error": reason[:500], "where": where, "kind": kind_of(error, where)}
        print(json.dumps(answer), file=answers, flush=True)
    sys.stderr.flush()
    os._exit(0)  # vLLM's own shutdown may wait for threads forever


def kind_of(error: Exception, where: str) -> str:
    """What an error is about, decided here because this process has its type and its traceback.

    Args:
        error: what vLLM raised.
        where: what it was doing.

    Returns:
        "memory": there is too little; "adapter": vLLM cannot take the adapter as a LoRA request; "other".
    """
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch and isinstance(error, torch.OutOfMemoryError)):
        return "memory"
    # vLLM's check of its cache and torch's CPU allocator raise plain errors, which only their text tells apart
    plain = type(error) is ValueError or isinstance(error, RuntimeError)
    if where in ("model", "generation") and plain and "memory" in str(error).lower():
        return "memory"
    if where == "adapter" or (where == "model" and _raised_in_lora(error)):
        return "adapter"
    return "other"


def _raised_in_lora(error: Exception) -> bool:
    """Whether an error comes from vLLM's modules for LoRA, or from the check of its settings for it."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    last = next((name for name in reversed(modules) if name.startswith("vllm.")), "")
    return "lora" in last or getattr(error, "title", "") == "LoRAConfig"  # pydantic's name of what it was checking


def generate(engine, request: dict, adapter: str | None) -> list[list[int]]:
    """New token ids per prompt, the end-of-turn token included where the model came to it.

    Args:
        engine: a `vllm.LLM`.
        request: prompts (token ids), seeds (one per prompt), temperature (0 is greedy), top_p, max_new_tokens and ends
            (ids of tokens that end a turn).
        adapter: folder of the LoRA adapter to use.
    """
    from vllm import SamplingParams

    settings = [
        SamplingParams(
            temperature=request["temperature"],
            top_p=request["top_p"],
            seed=seed,
            max_tokens=request["max_new_tokens"],
            stop_token_ids=request["ends"],
            ignore_eos=True,  # the ends above are all; the model's own config may name others
            detokenize=False,
        )
        for seed in request["seeds"]
    ]
    prompts = [{"prompt_token_ids": ids} for ids in request["prompts"]]
    lora = _lora(adapter) if adapter else None
    outputs = engine.generate(prompts, settings, use_tqdm=False, lora_request=lora)
    return [list(output.outputs[0].token_ids) for output in outputs]


def _device(gpus: int, version: str) -> str:
    """What vLLM will run on. Args: how many GPUs the job has; vLLM's version.

    Raises:
        RuntimeError: this build of vLLM is for another kind of device.
    """
    from vllm.platforms import current_platform

    device = current_platform.device_type
    if gpus and device == "cpu":
        raise RuntimeError(f"vllm {version} is built for CPUs, but runtime: gpus is {gpus}; set it to 0")
    if not gpus and device != "cpu":
        raise RuntimeError(f"vllm {version} is built for GPUs, but runtime: gpus is 0; set it to 1")
    return device


def _load(request: dict):
    from vllm import LLM

    lora = {"enable_lora": True, "max_loras": 1, "max_lora_rank": request["rank"]} if request["adapter"] else {}
    return LLM(
        model=request["model"],
        dtype=request["dtype"],
        max_model_len=request["longest"],
        trust_remote_code=request["trust_remote_code"],
        skip_tokenizer_init=True,
        generation_config="vllm",  # not the model's own
        enforce_eager=not request["gpus"],  # on a CPU compiling takes longer than it saves
        # a prefix that another prompt left behind would change the last bits, and so a sample by its neighbours
        enable_prefix_caching=False,
        gpu_memory_utilization=GPU_SHARE,
        disable_log_stats=True,
        **lora,
    )


def _lora(folder: str):
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, folder)


def _die_with(parent: int) -> None:
    """Let the kernel kill this process with its parent, which may be killed too."""
    ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before


if __name__ == "__main__":
    main()
