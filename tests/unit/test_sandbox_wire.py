"""What crosses between a program and its tests: equal values come out, and garbage is refused by one error."""

import collections
import contextlib
import datetime
import decimal
import fractions
import json
import math
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.sandbox.inside.frames import MOST_BYTES, BadMessage, Channel, Closed
from clearminds.sandbox.inside.wire import DEEPEST, NoForm, decode, encode

Point = collections.namedtuple("Point", "x y")

text = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates too
hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**64, 2**2000)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | text
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.timedeltas()
    | st.sampled_from([..., NotImplemented, int, str, object])
    | st.builds(range, st.integers(-99, 99), st.integers(-99, 99), st.integers(1, 9)),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=4),
    max_leaves=8,
)
values = st.recursive(
    hashable | st.builds(bytearray, st.binary()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.sets(hashable, max_size=4)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.builds(collections.OrderedDict, st.dictionaries(hashable, inner, max_size=4))
        | st.builds(collections.deque, st.lists(inner, max_size=4), st.none() | st.integers(4, 9))
        | st.builds(slice, inner, inner, inner)
    ),
    max_leaves=12,
)


def through(value):
    return decode(json.loads(json.dumps(encode(value))))


@given(values)
def test_what_comes_out_equals_what_went_in_and_is_of_its_type(value):
    found = through(value)
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 1e308, 5e-324])
def test_floats_keep_what_json_would_lose(value):
    assert repr(through(value)) == repr(value)
    assert repr(through([complex(value, value)])) == repr([complex(value, value)])


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (collections.Counter("aab"), collections.Counter("aab")),
        (collections.defaultdict(list, {1: [2]}), {1: [2]}),
        (Point(1, [2]), (1, [2])),
        ({1: 2}.keys(), {1}),
        ({1: 2}.items(), {(1, 2)}),
        (decimal.Decimal("NaN").is_nan(), True),
        (fractions.Fraction(2**70, 3), fractions.Fraction(2**70, 3)),
        (datetime.timedelta(-1, 5, 7), datetime.timedelta(-1, 5, 7)),
        (type("MyInt", (int,), {"__eq__": lambda self, other: True, "__hash__": None})(3), 3),
        (type("MyList", (list,), {"__eq__": lambda self, other: True})([1]), [1]),
        (type("MyText", (str,), {"__eq__": lambda self, other: True, "__hash__": None})("a"), "a"),
    ],
)
def test_relatives_of_plain_values_arrive_as_these(value, plain):
    found = through(value)
    assert found == plain
    assert not (type(found) is int and found == 4)


def test_a_namedtuple_keeps_its_names():
    assert through(Point(1, 2)).y == 2


def test_numpy_s_values_arrive_as_lists_and_numbers():
    numpy = pytest.importorskip("numpy")
    assert through([numpy.int64(3), numpy.arange(2), numpy.float32(0.5), numpy.bool_(True)]) == [3, [0, 1], 0.5, True]


def test_an_object_has_no_form_unless_it_is_given_one():
    with pytest.raises(NoForm, match="a object cannot cross"):
        encode([object()])
    assert encode([object()], lambda value: ["handle", 7]) == ["list", ["handle", 7]]


def test_what_is_nested_too_deeply_is_refused_on_both_sides():
    value, form = [], ["list"]
    for _ in range(DEEPEST + 1):
        value, form = [value], ["list", form]
    with pytest.raises(BadMessage, match="deep"):
        encode(value)
    with pytest.raises(BadMessage, match="deep"):
        decode(form)


def test_a_list_that_holds_itself_is_refused():
    value: list = []
    value.append(value)
    with pytest.raises(BadMessage, match="deep"):
        encode(value)


KNOWN = "int str float complex bytes list set dict Counter deque range slice Decimal Fraction date timedelta singleton"
names = st.sampled_from([*KNOWN.split(), "type", "dict_items", "namedtuple", "handle", "__class__", "tuple"])
garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | names,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(lambda name, parts: [name, *parts], names, st.lists(inner, max_size=4))
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=12,
)


@given(garbage)
def test_garbage_is_a_value_or_a_bad_message_and_nothing_else(form):
    with contextlib.suppress(BadMessage):
        decode(form)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_messages_arrive_in_their_order_and_whole(pair):
    ours, theirs = pair
    Channel(ours.fileno()).send([1, "é\ud800"])
    Channel(ours.fileno()).send({"a": None})
    reader = Channel(theirs.fileno())
    assert [reader.receive(), reader.receive()] == [[1, "é\ud800"], {"a": None}]
    ours.close()
    with pytest.raises(Closed):
        reader.receive()


@given(st.binary(min_size=1, max_size=60))
def test_bytes_that_are_no_message_are_refused(body):
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            os.write(ours.fileno(), body)
        with contextlib.suppress(BadMessage, Closed):
            Channel(theirs.fileno()).receive()


def test_a_message_of_too_many_bytes_is_neither_read_nor_sent(pair):
    ours, theirs = pair
    os.write(ours.fileno(), (MOST_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(BadMessage, match="more than"):
        Channel(theirs.fileno()).receive()
    with pytest.raises(BadMessage, match="too large"):
        Channel(ours.fileno()).send("a" * (MOST_BYTES + 1))


def test_deep_json_is_refused(pair):
    ours, theirs = pair
    body = b"[" * 100_000
    os.write(ours.fileno(), len(body).to_bytes(4, "big") + body)
    with pytest.raises(BadMessage, match="not JSON"):
        Channel(theirs.fileno()).receive()
