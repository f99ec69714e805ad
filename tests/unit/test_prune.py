"""Pruning a made-up tree of results: what is listed and removed is what the study does not name, and nothing else."""

import os
from pathlib import Path

import pytest
from pruned import Tree, below

from clearminds.commands import prune
from clearminds.files.layout import Layout, earlier_memory_of, job_name, memory_of

SEED0 = "evaluations/m/sums/plain/seed0"


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path)
    made.fill()
    return made


def test_a_study_that_names_everything_has_nothing_to_prune(tree):
    assert tree.stale() == []
    assert tree.prune() == set()


def test_a_study_without_results_has_nothing_to_prune(tmp_path):
    tree = Tree(tmp_path)
    assert tree.stale() == []
    tree.results.rmdir()
    assert tree.stale() == []


def test_a_renamed_variant_s_results_go_and_its_new_name_s_stay(tree):
    tree.study["variants"]["ground-truth"] = tree.study["variants"].pop("plain")
    tree.fill()
    expected = [
        *(f"adapters/m/sums/plain/seed{n}" for n in (0, 1)),
        *(f"evaluations/m/sums/plain/seed{n}/{suite}.parquet" for n in (0, 1) for suite in ("all", "more")),
        "masks/m/sums/plain.parquet",
    ]
    assert tree.stale() == expected
    gone = tree.prune()
    assert below(["adapters/m/sums/plain", "evaluations/m/sums/plain", "masks/m/sums/plain.parquet"], gone)
    assert {*expected, "adapters/m/sums/plain", "evaluations/m/sums/plain"} <= gone
    assert (tree.results / "masks/m/sums/ground-truth.parquet").is_file()


def test_pruning_twice_changes_nothing_more(tree):
    del tree.study["variants"]["plain"]
    assert tree.prune()
    assert tree.prune() == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"seeds": [0]},
            [
                *(f"adapters/m/sums/{v}/seed1" for v in ("plain", "random-2.5", "stm-2.5")),
                *(
                    f"evaluations/m/sums/{v}/seed1/{s}.parquet"
                    for v in ("plain", "random-2.5", "stm-2.5")
                    for s in ("all", "more")
                ),
                "masks/m/sums/random-2.5.draw1.parquet",
            ],
        ),
        (
            {"suites": {"all": ["sums"]}},
            [
                "evaluations/m/base/more.parquet",
                *(
                    f"evaluations/m/sums/{v}/seed{n}/more.parquet"
                    for v in ("plain", "random-2.5", "stm-2.5")
                    for n in (0, 1)
                ),
            ],
        ),
    ],
    ids=["seed", "suite"],
)
def test_what_a_seed_and_a_suite_leave(tree, change, expected):
    tree.study |= change
    assert tree.stale() == expected
    tree.prune()


@pytest.mark.parametrize("key", ["models", "targets"])
def test_a_model_or_target_taken_out_leaves_no_folder_of_the_three_kinds(tree, key):
    if key == "models":
        tree.study["models"] = {"other": tree.study["models"]["m"]}
        folders = ["masks", "adapters", "evaluations"]
    else:
        tree.study["tasks"]["lcm"]["splits"]["train"] = 8
        tree.study["targets"] = ["lcm"]
        folders = ["masks", "adapters", "evaluations/m/sums"]
    gone = tree.prune()
    assert below(folders, gone)
    assert set(folders) <= gone
    assert (tree.results / "scores/m/m/sums/train.reference.parquet").is_file()
    assert (tree.results / "evaluations/m/base").is_dir() == (key == "targets")


def test_a_rule_that_draws_no_more_leaves_its_draws(tree):
    tree.study["variants"]["random-2.5"] = {"responses": "reference"}
    draws = ["masks/m/sums/random-2.5.draw0.parquet", "masks/m/sums/random-2.5.draw1.parquet"]
    assert tree.stale() == draws
    assert tree.prune() == set(draws)


def test_a_rule_that_draws_now_leaves_its_former_masks(tree):
    tree.study["variants"]["plain"]["weights"] = {"rule": "random", "like": "stm-2.5"}
    assert tree.prune() == {"masks/m/sums/plain.parquet"}


def test_what_is_not_a_result_stays(tree):
    del tree.study["variants"]["plain"]
    kept = ["masks/notes.txt", "masks/m/sums/old/x.parquet", "masks/m/x.parquet", "adapters/m/sums/plain/seed0.zip"]
    kept += ["adapters/m/sums/plain/best/adapter.json", f"{SEED0}/notes.md", f"{SEED0}/odd.parquet/file"]
    kept += ["evaluations/m/other/x.parquet", ".hidden/m/sums/x.parquet", "masks/.hidden/sums/x.parquet"]
    kept += ["scores/m/m/old/train.old.parquet", "responses/old/x/y.parquet", "plots/m/sums/x.parquet"]
    files = [tree.write(path) for path in kept]
    tree.prune()
    assert all(file.is_file() for file in files)


def test_hidden_neighbours_go_with_their_result_and_only_then(tree):
    tree.study["variants"]["a.parquet.b"] = tree.study["variants"]["seedy"] = {"responses": "reference"}
    tree.fill()
    del tree.study["variants"]["plain"]
    masks, adapters = "masks/m/sums", "adapters/m/sums"
    tree.write(f"{masks}/a.parquet")
    go = [f"{masks}/.plain.parquet.writer", f"{masks}/.plain.parquet.99.tmp", f"{masks}/.a.parquet.writer"]
    go += [f"{SEED0}/.all.parquet.kept/0.all.parquet", f"{adapters}/plain/.seed0.kept"]
    go += [f"{adapters}/plain/.seed0.checkpoints/checkpoint-4/whole.json", f"{adapters}/plain/.seed0.tmp/x"]
    stay = [f"{masks}/.stm-2.5.parquet.writer", f"{masks}/.a.parquet.b.parquet.writer", f"{masks}/.plain.writer"]
    stay += [f"{masks}/.gone.parquet.kept", f"{masks}/.random-2.5.draw0.parquet.writer", f"{masks}/.nfs0001"]
    stay += [f"{adapters}/stm-2.5/.seed0.checkpoints/x", f"{adapters}/plain/.seed10.kept"]
    files = {path: tree.write(path) for path in [*go, *stay]}
    tree.prune()
    assert [path for path, file in files.items() if not file.exists()] == go


def test_the_checkpoints_of_a_training_that_never_ended_are_its_adapter(tree):
    tree.write("adapters/m/sums/old/.seed0.checkpoints/checkpoint-4/whole.json", size=5000)
    tree.write("adapters/m/sums/plain/.seed0.checkpoints/checkpoint-4/whole.json")
    [found] = prune.stale(tree.specs(), tree.folder)
    assert found.size == 5000
    assert tree.stale() == ["adapters/m/sums/old/.seed0.checkpoints"]
    assert below(["adapters/m/sums/old"], tree.prune())


@pytest.mark.parametrize("earlier", [False, True], ids=["own", "earlier"])
def test_the_memory_of_the_jobs_goes_too_and_is_counted_once(tree, earlier):
    del tree.study["variants"]["plain"]
    folders = {name: f".jobs/masks/m/sums/.{name}.parquet" for name in ("plain", "stm-2.5")}
    adapter, scores = ".jobs/adapters/m/sums/plain/seed1/.adapter.json", ".jobs/scores/m/m/sums/plain/.x.parquet"
    if earlier:
        folders = {name: f".jobs/build_masks/m/sums/{name}" for name in folders}
        adapter, scores = ".jobs/train_adapter/m/sums/plain/seed1", ".jobs/score_token_perplexity/m/m/sums/plain"
    for name, folder in folders.items():
        tree.write(f"{folder}/record.json", size=100)
        kept = tree.results / folder / "kept"
        kept.mkdir()
        os.link(tree.results / f"masks/m/sums/{name}.parquet", kept / "0.x")
    tree.write(f"{adapter}/record.json")
    tree.write(f"{scores}/record.json")
    sizes = {str(one.pieces[-1].relative_to(tree.results)): one.size for one in prune.stale(tree.specs(), tree.folder)}
    assert sizes["masks/m/sums/plain.parquet"] == 1100
    assert sizes["adapters/m/sums/plain/seed0"] == 4000
    assert sizes["adapters/m/sums/plain/seed1"] == 5000
    gone = {path for path in tree.prune() if path.startswith(".jobs")}
    top = "/".join(adapter.split("/")[:2])
    assert below([folders["plain"], top], gone)
    assert {folders["plain"], top} <= gone


@pytest.mark.parametrize("kind", prune.KINDS, ids=lambda kind: kind.stage)
def test_a_job_s_memory_is_found_under_both_keys(tmp_path, kind):
    names = {name: f"{name}-1.5" for name in ("model", "target", "suite")}
    layout, wildcards = Layout.of("mine", tmp_path), {**names, "variant": "stm-2.5", "seed": 1, "draw": ".draw1"}
    kind = kind.__get__(layout, Layout)
    output, log = Path(kind.path(**wildcards)), Path(kind.log_path(**wildcards))
    own, earlier = memory_of(layout.jobs, output), earlier_memory_of(layout.jobs, kind.stage, job_name(log, kind.stage))
    for folder in (own, earlier):
        folder.mkdir(parents=True)
    result = Path(str(output).removesuffix(kind.declaration))
    assert prune._memories(result, Path(layout.results)) == [own, earlier]


def test_a_link_is_removed_and_what_it_points_to_stays(tree):
    elsewhere = tree.folder / "elsewhere"
    (elsewhere / "sums/old/seed0").mkdir(parents=True)
    (elsewhere / "sums/old/seed0/adapter.json").write_text("mine")
    (elsewhere / "x.parquet").write_text("mine")
    links = {
        "masks/m/sums/old.parquet": elsewhere / "x.parquet",
        "masks/m/sums/lost.parquet": elsewhere / "not-there",
        "adapters/m/sums/older/seed0": elsewhere / "sums/old/seed0",
        "adapters/m/sums/oldest": elsewhere / "sums/old",
        "adapters/other": elsewhere,
        "evaluations/other": elsewhere,
    }
    for place, target in links.items():
        (tree.results / place).parent.mkdir(parents=True, exist_ok=True)
        (tree.results / place).symlink_to(target)
    assert tree.stale() == sorted(links)
    assert tree.prune() == {*links, "adapters/m/sums/older"}


def test_links_inside_an_adapter_are_not_followed(tree):
    kept = tree.folder / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    folder = tree.results / "adapters/m/sums/old/seed0"
    folder.mkdir(parents=True)
    (folder / "adapter.json").symlink_to(kept / "file")
    (folder / "folder").symlink_to(kept)
    tree.prune()
    assert (kept / "file").read_text() == "mine"


def test_folders_that_are_links_are_not_walked_into(tree):
    elsewhere = tree.folder / "elsewhere"
    elsewhere.mkdir()
    for kind, place in (("masks", ""), ("adapters", "m"), ("evaluations", "m/sums"), (".jobs", "")):
        folder = tree.results / kind / place
        if kind == ".jobs":
            tree.write(".jobs/masks/m/sums/.old.parquet/record.json")
            tree.write(".jobs/build_masks/m/sums/old/record.json")
        folder.rename(elsewhere / kind)
        folder.symlink_to(elsewhere / kind)
    for path in ("masks/m/sums/old.parquet", "adapters/sums/old/seed0/adapter.json", "evaluations/old/seed0/x.parquet"):
        (elsewhere / path).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / path).write_text("mine")
    tree.write("evaluations/m/base/old.parquet")
    assert "results/mine/masks is a link and not looked into\n" in tree.run().stdout
    assert tree.prune() == {"evaluations/m/base/old.parquet"}


def test_a_study_s_folder_on_another_disk_is_pruned_there(tree, tmp_path):
    disk = tmp_path / "disk"
    tree.results.rename(disk)
    tree.results.symlink_to(disk)
    (disk / "masks/m/sums/old.parquet").write_text("old")
    before = tree.all()
    prune.remove(prune.stale(tree.specs(), tree.folder), tree.results)
    assert before.keys() - tree.all().keys() == {"disk/masks/m/sums/old.parquet"}
    tree.study["models"] = {"other": tree.study["models"]["m"]}
    prune.remove(prune.stale(tree.specs(), tree.folder), tree.results)
    assert tree.results.is_symlink()
    assert disk.is_dir()
    assert not (disk / "masks").exists()
