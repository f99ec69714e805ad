"""Special tokens' strings in the texts of tasks: as the tokens, as text, or refused; counted before anything runs."""

import logging
from dataclasses import replace

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tiny import CHAT_TEMPLATE, tiny_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.model.conversation import Chat
from clearminds.model.encode_responses import encode_responses
from clearminds.model.special_tokens import (
    SpecialTokens,
    check_responses,
    check_special_tokens,
    special_tokens_in,
    texts_of,
)
from clearminds.model.text_tokens import SpecialTokenError
from clearminds.stages import evaluate
from clearminds.stages.generate_responses import Source, texts_used

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
OTHER = {"<|endoftext|>": "<~endoftext~>", "<|im_": "<~im_", "start|>": "start~>", "end|>": "end~>"}


def renamed(text: str) -> str:
    """A text with other special tokens of the same lengths."""
    for before, after in OTHER.items():
        text = text.replace(before, after)
    return text


def fast(backend: Tokenizer, rename=lambda text: text, template=CHAT_TEMPLATE) -> transformers.PreTrainedTokenizerFast:
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(rename(backend.to_str())),
        eos_token=rename("<|im_end|>"),
        pad_token=rename("<|endoftext|>"),
        additional_special_tokens=[rename("<|im_start|>")],
        chat_template=rename(template),
        clean_up_tokenization_spaces=False,
    )


def byte_level() -> Tokenizer:
    return Tokenizer.from_str(tiny_tokenizer().backend_tokenizer.to_str())


def stripping() -> Tokenizer:
    """Its special tokens take the blanks behind them, as Phi-3's do."""
    return Tokenizer.from_str(byte_level().to_str().replace('"rstrip":false', '"rstrip":true'))


def metaspace() -> Tokenizer:
    """Marks the beginning of a text and no other piece by a blank, and falls back on bytes, as Llama-2's does."""
    vocabulary = {name: n for n, name in enumerate(["<unk>", *SPECIAL])}
    for piece in [f"<0x{n:02X}>" for n in range(256)] + ["▁", *"abenstuimdx|<>_.?"]:
        vocabulary.setdefault(piece, len(vocabulary))
    for piece in ("te", "xt", "en", "▁a", "im", "▁<"):
        vocabulary.setdefault(piece, len(vocabulary))
    merges = [("e", "n"), ("i", "m"), ("▁", "a"), ("▁", "<"), ("t", "e"), ("x", "t")]
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence([decoders.Metaspace(), decoders.ByteFallback(), decoders.Fuse()])
    backend.add_special_tokens([AddedToken(name, normalized=False) for name in SPECIAL])
    return backend


def prepending() -> Tokenizer:
    """Puts a blank before every piece between special tokens, as older files of Llama-2 do."""
    backend = metaspace()
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.pre_tokenizer = pre_tokenizers.Split("\x00", "isolated")
    return backend


def lowering() -> Tokenizer:
    """Normalises what is no special token."""
    backend = byte_level()
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    return backend


def normalising() -> Tokenizer:
    """Likewise, and looks for special tokens in what it has normalised."""
    return Tokenizer.from_str(lowering().to_str().replace('"normalized":false', '"normalized":true'))


KINDS = {kind.__name__: kind for kind in (byte_level, stripping, metaspace, prepending, lowering, normalising)}
PAIRS = {
    name: (Chat(fast(kind()), special_tokens="as_text"), Chat(fast(kind(), renamed))) for name, kind in KINDS.items()
}
KEEP = Chat(tiny_tokenizer())
AS_TEXT, REFUSE = replace(KEEP, special_tokens="as_text"), replace(KEEP, special_tokens="refuse")
PLAIN = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
SPECIALS = st.sampled_from([*SPECIAL, "<|im_", "end|>", "\n", " ", "user\n"])
QUOTING = st.lists(PLAIN | SPECIALS, max_size=5).map("".join)
USER = [{"role": "user", "content": "What is 12 + 34?"}]


def said_by(*texts: str) -> list[dict]:
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


@given(QUOTING, QUOTING, QUOTING, QUOTING)
def test_no_special_token_comes_of_a_text_and_decoding_gives_the_text_back(one, two, three, response):
    messages = said_by(one, two, three)
    try:
        encoded = AS_TEXT.encode(messages, response, "x")
    except SpecialTokenError:
        assert any(character >= "\U00100000" for character in one + two + three + response)
        return
    assert encoded.text == KEEP.render([*messages, {"role": "assistant", "content": response}], add_generation_prompt=0)
    assert AS_TEXT.tokenizer.decode(encoded.input_ids, skip_special_tokens=False) == encoded.text
    special = [token for token in encoded.input_ids if token in KEEP.end_of_turn_ids]
    assert len(special) == 2 * 4  # each of four turns begins and ends
    assert [token for token in encoded.response_ids if token in KEEP.end_of_turn_ids] == special[-1:]
    assert encoded.input_ids[: encoded.n_prompt] == AS_TEXT.prompt_ids(messages)
    assert AS_TEXT.tokenizer.decode(encoded.response_ids) == response + "<|im_end|>"


@given(PLAIN, PLAIN)
def test_without_special_tokens_all_three_are_the_same(asked, said):
    messages = said_by(asked)
    whole = KEEP.encode(messages, said, "x")
    for chat in (AS_TEXT, REFUSE):
        assert chat.encode(messages, said, "x") == whole
        assert chat.prompt_ids(messages) == KEEP.prompt_ids(messages)
        assert chat.text_ids(said) == KEEP.text_ids(said)


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.sampled_from([*SPECIAL, "a ten", " ", "<|im_", "|>", "é\n", "A"]), max_size=5).map("".join), QUOTING)
def test_ids_and_places_are_those_of_a_tokenizer_with_other_special_tokens(kind, asked, said):
    ours, other = PAIRS[kind]
    if any(character >= "\U00100000" for character in said):
        return
    messages, response = said_by(asked, "a", asked), f"a{said}"
    encoded, expected = ours.encode(messages, response, "x"), other.encode(messages, response, "x")
    assert encoded.input_ids == expected.input_ids
    assert (encoded.n_prompt, encoded.n_response, encoded.spans) == (
        expected.n_prompt,
        expected.n_response,
        expected.spans,
    )
    assert renamed(encoded.text) == renamed(expected.text)
    assert ours.text_ids(said) == other.text_ids(said)


def test_a_response_that_names_the_end_of_turn_has_one_end_as_text_and_two_as_tokens():
    end = KEEP.tokenizer.eos_token_id
    assert KEEP.encode(USER, "46<|im_end|>", "x").response_ids.count(end) == 2
    assert AS_TEXT.encode(USER, "46<|im_end|>", "x").response_ids.count(end) == 1


def test_a_system_prompt_is_a_message_too():
    chat = replace(AS_TEXT, system="Never write <|im_end|>.")
    ids = chat.prompt_ids(USER)
    assert sum(token in chat.end_of_turn_ids for token in ids) == 5  # system, user, and the assistant's beginning
    assert chat.tokenizer.decode(ids) == chat.render(USER, add_generation_prompt=True)


def test_a_text_with_the_characters_that_as_text_needs_is_named():
    with pytest.raises(SpecialTokenError, match=r"^example e1: .*private-use character U\+100007.*take one of them"):
        AS_TEXT.encode(USER, "a\U00100007<|im_end|>", "example e1")
    assert AS_TEXT.encode(USER, "a\U00100007", "x") == KEEP.encode(USER, "a\U00100007", "x")


def test_a_tokenizer_that_makes_special_tokens_of_text_all_the_same_is_named():
    pieces = [("<unk>", 0.0), *((name, 0.0) for name in SPECIAL)]
    pieces += [(chr(n), -5.0) for n in range(32, 127)] + [("\n", -5.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    backend.add_special_tokens([AddedToken(name, normalized=False) for name in SPECIAL])
    chat = Chat(fast(backend), special_tokens="as_text")
    assert chat.encode(USER, "46", "x")
    with pytest.raises(SpecialTokenError, match=r"^example e1: this model's tokenizer cannot.*special_tokens: keep"):
        chat.encode(USER, "46<|im_end|>", "example e1")


def test_all_flagged_special_count_and_plain_added_ones_do_not():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([AddedToken("<|eot|>", special=True), AddedToken("<tool>", special=False)])
    chat = Chat(tokenizer)
    assert set(chat.texts.strings) == {*SPECIAL, "<|eot|>"}
    found = special_tokens_in(chat, [("a", "<tool>"), ("b", "x<|eot|><|im_end|>"), ("b", "<|im_end|>"), ("c", "")])
    assert found == SpecialTokens(1, "b", "<|eot|>")


EXAMPLES = [
    {"example_id": "a", "messages": USER, "reference": "46"},
    {"example_id": "b", "messages": USER, "reference": "46<|im_end|>"},
    {"example_id": "c", "messages": said_by("<|im_start|>?"), "reference": "?"},
]


def test_examples_are_counted_with_or_without_their_references():
    assert special_tokens_in(KEEP, texts_of(EXAMPLES, references=True)) == SpecialTokens(2, "b", "<|im_end|>")
    assert special_tokens_in(KEEP, texts_of(EXAMPLES, references=False)) == SpecialTokens(1, "c", "<|im_start|>")
    assert special_tokens_in(KEEP, texts_of(EXAMPLES[:1], references=True)) == SpecialTokens(0)


def test_a_source_uses_the_texts_that_it_asks_or_copies():
    used = {kind: [i for i, _ in texts_used(EXAMPLES, Source(kind))] for kind in ("reference", "self_output")}
    assert used == {"reference": ["a", "a", "b", "b", "c", "c"], "self_output": ["a", "b", "c"]}
    found = special_tokens_in(KEEP, texts_used(EXAMPLES, Source("rephrase")))
    assert found == SpecialTokens(2, "b", "<|im_end|>")  # the reference is in its prompt


def test_refusing_names_the_first_example_its_token_and_the_other_values():
    with pytest.raises(UserError) as caught:
        check_special_tokens(REFUSE, "sums", texts_of(EXAMPLES, references=True))
    assert str(caught.value) == (
        "task sums: example b holds the special token '<|im_end|>' (2 examples hold one); take it out of the data, or "
        "set the task's special_tokens: as_text (it is ordinary text) or keep (it is the token itself)"
    )


def test_keeping_warns_once_per_task_and_text_says_nothing(caplog):
    with caplog.at_level(logging.INFO, "clearminds"):
        check_special_tokens(AS_TEXT, "sums", texts_of(EXAMPLES, references=True))
        check_special_tokens(KEEP, "sums", texts_of(EXAMPLES[:1], references=True))
        assert not caplog.messages
        check_special_tokens(KEEP, "sums", texts_of(EXAMPLES, references=True))
    [message] = caplog.messages
    assert message.startswith("task sums: example b holds the special token '<|im_end|>' (2 examples hold one)")


@pytest.mark.parametrize(("messages", "response"), [(USER, "46<|im_end|>"), (said_by("<|im_start|>?", "a", "b"), "46")])
def test_a_chat_that_refuses_encodes_none(messages, response):
    with pytest.raises(SpecialTokenError, match=r"^example e1: it holds the special token '<\|im_.*as_text.*keep"):
        REFUSE.encode(messages, response, "example e1")
    if messages != USER:
        with pytest.raises(SpecialTokenError, match="example e1"):
            REFUSE.prompt_ids(messages, "example e1")


def responses(reason: str, *texts: str) -> list[dict]:
    return [{"example_id": "a", "sample": n, "response": t, "finish_reason": reason} for n, t in enumerate(texts)]


def test_a_sample_that_holds_one_is_left_out_where_they_are_refused_and_a_reference_is_an_error(caplog):
    found, left_out = encode_responses(REFUSE, EXAMPLES, responses("stop", "1", "2<|im_end|>"), limit=512)
    assert [s.sample for s in found] == [0]
    assert left_out == {"cut": 0, "too_long": 0, "merged": 0, "special_tokens": 1}
    with pytest.raises(SpecialTokenError, match="example a, sample 1"):
        encode_responses(REFUSE, EXAMPLES, responses("reference", "1", "2<|im_end|>"), limit=512)
    asked = [{**responses("stop", "1")[0], "example_id": "c"}]
    with pytest.raises(SpecialTokenError, match=r"example c, sample 0: .*im_start"):
        encode_responses(REFUSE, EXAMPLES, asked, limit=512)
    check_responses(REFUSE, "sums", EXAMPLES[:1], responses("stop", "2<|im_end|>"))
    with pytest.raises(SpecialTokenError, match="task sums: example a"):
        check_responses(REFUSE, "sums", EXAMPLES[:1], responses("reference", "2<|im_end|>"))
    assert not caplog.messages
    check_responses(KEEP, "sums", EXAMPLES[:1], responses("stop", "2<|im_end|>"))
    assert "task sums: example a" in caplog.text


def test_an_evaluation_checks_what_each_of_its_tasks_encodes(tmp_path, caplog):
    rows = [{**row, "answer": "", "meta": "{}"} for row in EXAMPLES[:2]]  # the second's reference holds one
    tables = {"a": tmp_path / "a" / "test.parquet", "b": tmp_path / "b" / "test.parquet"}
    for path in tables.values():
        write_table(path, rows, contracts.EXAMPLES, {})
    accuracy = evaluate.Task("a", "accuracy", "number", special_tokens="refuse")
    evaluate.check_texts(KEEP, [accuracy, evaluate.Task("lm_eval:arc_easy", "lm_eval")], tables)
    assert not caplog.messages
    evaluate.check_texts(KEEP, [accuracy, evaluate.Task("b", "likelihood")], tables)
    assert "task b: example b holds" in caplog.text
    with pytest.raises(SpecialTokenError, match="task b: example b holds the special token"):
        evaluate.check_texts(KEEP, [evaluate.Task("b", "likelihood", special_tokens="refuse")], tables)
