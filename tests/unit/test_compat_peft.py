"""What this project relies on in the installed PEFT: it uses no private name of it, but more than is documented."""

import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from small_training import training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.model.decoding import own_settings_only
from clearminds.stages.training.adapter import add_adapter, trained_parameters


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder).eval()


@pytest.fixture(params=["lora", "dora"])
def adapted(request, folder):
    """A model with an adapter that changes its logits."""
    model = add_adapter(load(folder), training(adapter=request.param), "owner/name").eval()
    torch.manual_seed(1)
    for parameter in trained_parameters(model).values():
        parameter.data += torch.randn_like(parameter) * 0.1
    return model


def logits(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(3, 20)[None]).logits


def test_what_is_trained_is_all_that_an_adapter_s_folder_needs(adapted, folder, tmp_path):
    adapted.save_pretrained(tmp_path / "part", state_dict=trained_parameters(adapted))
    adapted.save_pretrained(tmp_path / "whole")
    part, whole = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("part", "whole"))
    assert part.keys() == whole.keys() and all(torch.equal(part[name], whole[name]) for name in whole)
    again = PeftModel.from_pretrained(load(folder), tmp_path / "part").eval()
    torch.testing.assert_close(logits(again), logits(adapted))


def test_only_the_main_process_writes(adapted, tmp_path):
    adapted.save_pretrained(tmp_path / "a", state_dict=trained_parameters(adapted), is_main_process=False)
    assert not [file for file in (tmp_path / "a").rglob("*") if file.is_file()]


def test_the_fresh_adapter_is_the_default_one_and_names_the_given_base(adapted, tmp_path):
    assert list(adapted.peft_config) == ["default"]
    adapted.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "owner/name"
    assert (config["r"], config["use_dora"]) == (2, adapted.peft_config["default"].use_dora)


def test_without_its_adapter_a_model_is_the_base_and_merged_it_is_the_same(adapted, folder):
    base, changed = logits(load(folder)), logits(adapted)
    assert not torch.allclose(base, changed, atol=1e-3)
    with adapted.disable_adapter():
        torch.testing.assert_close(logits(adapted), base)
    torch.testing.assert_close(logits(adapted), changed)
    torch.testing.assert_close(logits(adapted.merge_and_unload()), changed, rtol=1e-4, atol=1e-4)


def test_generation_reads_the_settings_of_the_inner_model(adapted):
    inner = adapted.get_base_model()
    inner.generation_config.update(min_new_tokens=7, max_new_tokens=7)
    ids = torch.arange(3, 9)[None]
    assert adapted.generate(input_ids=ids, do_sample=False).shape[1] == 6 + 7
    with own_settings_only(adapted):
        assert adapted.generate(input_ids=ids, do_sample=False, max_new_tokens=2).shape[1] == 6 + 2
    assert inner.generation_config.min_new_tokens == 7


def test_a_bare_model_is_told_from_one_with_an_adapter(adapted, folder):
    for name in ("disable_adapter", "get_base_model", "merge_and_unload"):
        assert hasattr(adapted, name) and not hasattr(load(folder), name)
