"""What `clearminds_generate.yaml` calls: the examples as a data set, conversations as prompts, verdicts as metrics."""

from collections.abc import Callable

import datasets
from lm_eval.api.task import ConfigurableTask

from clearminds.files import contracts
from clearminds.files.tables import read_table
from clearminds.plugins.load import load
from clearminds.stages.verify_responses import judge


class ConversationTask(ConfigurableTask):
    """A task whose prompts are whole conversations; the harness' own tasks ask in one user turn."""

    def __init__(self, config: dict):
        # the key by which the harness found this class is none of its settings
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def fewshot_context(
        self,
        doc: dict,
        num_fewshot: int,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        fewshot_as_multiturn: bool = False,
        chat_template: Callable[..., str] | None = None,
        gen_prefix: str | None = None,
    ) -> str:
        """The example's messages as the model's chat template renders them, ready for the assistant's turn."""
        messages = doc["messages"]
        if system_instruction and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": system_instruction}, *messages]
        if chat_template is None:
            raise ValueError("clearminds_generate holds conversations; evaluate it with a chat template")
        special_tokens = self.get_config("metadata").get("special_tokens")
        if special_tokens is None:
            return chat_template(messages, add_generation_prompt=True)
        return chat_template(messages, special_tokens=special_tokens, name=f"example {doc['example_id']}")


def load_examples(examples: str, verifier: str, **_: object) -> dict[str, datasets.Dataset]:
    """The rows of a Parquet file of the contract EXAMPLES, each with its verifier; kept in memory, never in a cache."""
    table = datasets.Dataset(read_table(examples, contracts.EXAMPLES).replace_schema_metadata())
    return {"test": table.add_column("verifier", [verifier] * len(table))}


def process_results(doc: dict, results: list[str]) -> dict[str, float]:
    """Score 0 or 1 per reading, and 0 or 1 for whether the response had the format that the reading asks for."""
    scores = {}
    check = load("verifiers", doc["verifier"]).verify
    for reading in ("lenient", "strict"):
        verdict, _ = judge(check, results[0], doc, strict=reading == "strict")
        scores[reading] = float(verdict == "correct")
        scores[f"{reading}_format"] = float(verdict != "format_error")
    return scores
