"""What mask files leave to train on, counted."""

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.report.token_counts import counts_table


def test_token_counts_per_mask_file(tmp_path):
    def mask(name, kept, **more):
        rows = [
            {"task": "sums", "example_id": str(i), "sample": 0, "n_kept": k, "n_response": 10}
            for i, k in enumerate(kept)
        ]
        write_table(tmp_path / name, rows, contracts.MASKS, {})
        return {"path": tmp_path / name, "model": "tiny", "target": "sums", "variant": name, **more}

    counts = counts_table(
        [mask("truth", [10, 10]), mask("stm", [5, 0]), mask("random", [3, 2], draw=7), mask("none", [])]
    )
    first = ["variant", "draw", "examples", "examples_all_masked", "response_tokens", "kept_tokens", "kept_share"]
    assert counts.columns == [*first, "model", "target"]
    assert counts.drop("model", "target").rows() == [
        ("truth", None, 2, 0, 20, 20, 1.0),
        ("stm", None, 2, 1, 20, 5, 0.25),
        ("random", 7, 2, 0, 20, 5, 0.25),
        ("none", None, 0, 0, 0, 0, None),
    ]
    assert counts_table([]).columns == counts.columns
