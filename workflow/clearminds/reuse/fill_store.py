"""Filling a store with what a job needs: whole batches of a plan that is written down before the first is computed.

What a batch computes may depend on its members in the last bits (below float32 in more), so a job that was killed goes
on with the batches of its plan, and shards of a job take theirs from the same one: what lands in the store is the same.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from clearminds.model.batches import plan
from clearminds.progress import Progress
from clearminds.reuse.store import Store, note_use

log = logging.getLogger("clearminds")


Planner = Callable[[list[int]], list[list[int]]]


def fill(
    store: Store,
    keys: Sequence[bytes],
    lengths: Sequence[int],
    compute: Callable[[list[int]], tuple[list[dict], int]],
    *,
    batch_tokens: int,
    part_seconds: float,
    what: str,
    shard: str = "",
    planner: Planner | None = None,
) -> tuple[Progress, dict[str, int]]:
    """Compute what the store lacks.

    Args:
        store: where values are looked up and left.
        keys: one per item; equal ones are computed once.
        lengths: tokens per item.
        compute: indices of the items of one batch to their rows without the key, and the tokens it computed.
        batch_tokens: most tokens of a batch, padding included.
        part_seconds: between two parts of the store: what a kill loses at most, beside the batch that runs.
        what: the plural noun of an item.
        shard: which part of the plan's batches to compute, such as "2of8"; "": all.
        planner: batches of items, given their indices; None: by their lengths alone.

    Returns:
        the progress with its rate, and counts: `asked` (different keys), `hits` (found), `computed`.
    """
    index = {key: n for n, key in reversed(list(enumerate(keys)))}
    unique = sorted(index, key=index.__getitem__)
    missing = set(unique) - store.has(unique)

    def cut(some: list[bytes]) -> list[list[bytes]]:
        items = [index[key] for key in some]
        if planner is not None:
            return [[keys[n] for n in batch] for batch in planner(items)]
        return [[some[n] for n in batch] for batch in plan([lengths[n] for n in items], batch_tokens)]

    batches = _batches(_plan_path(store, unique, batch_tokens), unique, missing, cut)
    if shard:
        number, shards = map(int, shard.split("of"))
        batches = batches[number - 1 :: shards]
    batches = [batch for batch in batches if batch]
    total = sum(map(len, batches))
    counts = {"asked": len(unique), "hits": len(unique) - len(missing), "computed": 0}
    if counts["hits"]:
        log.info("store: %d of %d %s are there already", counts["hits"], counts["asked"], what)
    progress = Progress(total, what)
    waiting: list[dict] = []
    last = time.monotonic()
    for n, batch in enumerate(batches):
        rows, tokens = compute([index[key] for key in batch])
        waiting += [{"key": key, **row} for key, row in zip(batch, rows, strict=True)]
        counts["computed"] += len(batch)
        progress.add(len(batch), tokens)
        if n == len(batches) - 1 or time.monotonic() - last >= part_seconds:
            store.add(pa.Table.from_pylist(waiting, schema=store.schema))
            waiting, last = [], time.monotonic()
    if not shard:
        _plan_path(store, unique, batch_tokens).unlink(missing_ok=True)
    note_use(store.folder.parents[1], store.folder.parent.name, **counts)
    return progress, counts


def _batches(
    path: Path, keys: list[bytes], missing: set[bytes], cut: Callable[[list[bytes]], list[list[bytes]]]
) -> list[list[bytes]]:
    """The plan's batches, each without the members that are there: all of them, since shards count by their places."""
    if not missing:
        return []
    planned = _planned(path, [key for key in keys if key in missing], cut)
    # what is missing but is in no plan was there when the plan was made, in a part that has been damaged since
    rest = missing - {key for batch in planned for key in batch}
    planned += cut([key for key in keys if key in rest])
    return [[key for key in batch if key in missing] for batch in planned]


def _planned(path: Path, missing: list[bytes], cut: Callable[[list[bytes]], list[list[bytes]]]) -> list[list[bytes]]:
    if not path.is_file():
        made = [[key.hex() for key in batch] for batch in cut(missing)]
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(json.dumps(made), encoding="utf-8")
            os.link(temporary, path)  # unlike a rename it fails where another shard was first
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
    try:
        return [[bytes.fromhex(key) for key in batch] for batch in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        path.unlink(missing_ok=True)  # damaged, or removed by a shard that found nothing left to do
        return []


def _plan_path(store: Store, keys: list[bytes], batch_tokens: int) -> Path:
    from clearminds.files.digests import digest

    name = digest([sorted(key.hex() for key in keys), batch_tokens])[:32]
    return store.folder / "plans" / f"{name}.json"
