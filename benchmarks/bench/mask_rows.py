"""Building masks: choosing each example's response and weighing its tokens by tau = 2.5, from tables of any size."""

import mask_building
import pyarrow.parquet as pq
from measured import Measured, Places, measure

from clearminds.stages.build_masks import Settings, plan_examples, write_masks
from clearminds.stages.select_examples import SourceTables


def made_up(tokens: int, places: Places) -> SourceTables:
    """Tables of about so many response tokens, made when they are not there yet."""
    tables = mask_building.tables(places.work / f"tokens-{tokens}")
    if not tables.scores.exists():
        tables.scores.parent.mkdir(parents=True, exist_ok=True)
        mask_building.make_up(tables.scores.parent, tokens)
    return tables


def own(tokens: int, places: Places) -> Measured:
    """Tokens of the masks file, prompts too, per second."""
    tables = made_up(tokens, places)
    settings = Settings("reference", [], {}, 4096, {"rule": "perplexity", "tau": "2.5"})
    sources, masks = {"reference": tables}, tables.scores.with_name("masks.parquet")
    ids = pq.read_table(tables.verdicts, columns=["example_id"])["example_id"].to_pylist()

    def work() -> float:
        chosen, _ = plan_examples(settings, sources, ids)
        counts = write_masks(masks, "task", settings, sources, chosen, {})
        return counts["tokens"] + len(chosen) * (mask_building.PROMPT + mask_building.AFTER)

    return measure(work)
