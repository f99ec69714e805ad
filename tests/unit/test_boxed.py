"""Reading the boxed answer of a mathematical solution."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.plugins.boxed import boxed


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"so $x = \boxed{3}$.", "3"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"first $\boxed{1}$, then $\fbox{ 2 }$", "2"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{a \fbox{b} c}", r"a \fbox{b} c"),
        (r"\boxed{\left\{x\right.}", r"\left\{x\right."),
        ("\\boxed\n{3}", "3"),
        (r"\boxed 35", "3"),
        (r"\boxed\pi", r"\pi"),
        (r"a \\\boxed{3}", "3"),
        (r"\boxed{}", ""),
        (r"\boxed{1} and \boxed{2", None),
        (r"a \\boxed{3}", None),
        (r"\boxedhere{3}", None),
        (r"\boxed", None),
        ("boxed{3}", None),
        ("", None),
    ],
)
def test_the_last_box_is_read(text, content):
    assert boxed(text) == content


BALANCED = st.recursive(
    st.text(st.characters(exclude_characters="{}\\"), max_size=5) | st.sampled_from([r"\{", r"\}", r"\frac", r"\\"]),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: "{" + " ".join(parts) + "}"),
)


@given(BALANCED, st.text(st.characters(exclude_characters="\\")), st.sampled_from(["boxed", "fbox"]))
def test_whatever_is_balanced_comes_back(content, before, command):
    assert boxed(f"{before}\\{command}{{{content}}} .") == content.strip()


@given(st.text(st.sampled_from(r"\boxed{}f 1")))
def test_no_text_is_too_odd_to_read(text):
    content = boxed(text)
    assert content is None or content in text
