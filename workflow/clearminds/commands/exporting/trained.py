"""What a training left, as an export has it: its folder as it is, or the adapter merged into the base's weights."""

import shutil
from pathlib import Path

from clearminds.model.loading import Loading

ADAPTER, MODEL, TOKENIZER = "adapter", "model", "tokenizer"  # folders of an export


def put_tokenizer(base: Path, folder: Path, trust_remote_code: bool) -> None:
    """Save the tokenizer with the chat template that the study used.

    Args:
        base: the model's folder.
        folder: where to.
        trust_remote_code: whether the tokenizer may bring Python of its own.
    """
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(base, trust_remote_code=trust_remote_code).save_pretrained(folder)


def put_trained(adapter: Path, folder: Path) -> str:
    """Copy what a training left. Args: the folder it is in; that of the export. Returns: the name that it has there."""
    from clearminds.model.full_weights import is_whole

    name = MODEL if is_whole(adapter) else ADAPTER
    shutil.copytree(adapter, folder / name)
    return name


def put_merged(adapter: Path, base: Path, folder: Path, dtype: str, loading: Loading) -> str:
    """Merge an adapter into its base, in float32 so that the sum is rounded once.

    Args:
        adapter, base: their folders.
        folder: of the export.
        dtype: that the merged weights are saved in.
        loading: of the base; of a base in 4 bits the weights are taken that these approximate.

    Returns:
        the name that the model has there.
    """
    import torch

    from clearminds.model.full_weights import is_whole
    from clearminds.model.load import load_model

    if is_whole(adapter):
        return put_trained(adapter, folder)
    whole = Loading(loading.attn_implementation, None, loading.trust_remote_code)
    model = load_model(base, dtype="float32", loading=whole, adapter=adapter)
    model.merge_and_unload().to(getattr(torch, dtype)).save_pretrained(folder / MODEL)
    put_tokenizer(base, folder / MODEL, loading.trust_remote_code)
    return MODEL
