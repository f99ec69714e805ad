"""The random stream of one sample, whatever backend samples it."""

from clearminds.files.digests import digest


def stream_seed(prompt_ids: list[int], sample: int, seed: int) -> int:
    """The seed of one sample's random stream: 63 bits."""
    return int(digest([prompt_ids, sample, seed])[:16], 16) >> 1
