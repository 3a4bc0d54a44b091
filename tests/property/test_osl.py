"""Properties of obfuscated lists: who has enough opens, who has not does not, whatever the shape."""

import base64
import itertools
import json
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.osl_configs import CHANNEL, HOUR, osl_config, scheme, spec

from headrace.base.errors import DocumentError
from headrace.crypto.key_stream import KeyStream
from headrace.crypto.shamir import combine, split
from headrace.documents.osl.config import KeySplit, Scheme
from headrace.documents.osl.networks import NetworkSet
from headrace.documents.osl.paver import file_spec
from headrace.documents.osl.registry import FileSpec, encode_registry, read_registry
from headrace.documents.osl.sloks import derive_slok, le64, period_start
from headrace.documents.port_policy import parse_networks


@st.composite
def splits(draw: st.DrawFn, most: int = 4) -> tuple[int, int]:
    total = draw(st.integers(1, most))
    return total, draw(st.integers(1, total))


@given(st.data(), splits(20), st.binary(min_size=1, max_size=40), st.binary(min_size=32, max_size=32))
def test_exactly_enough_shares_give_the_secret(
    data: st.DataObject, shape: tuple[int, int], secret: bytes, seed: bytes
) -> None:
    total, threshold = shape
    shares = split(secret, total, threshold, KeyStream(seed).read)
    chosen = data.draw(st.permutations(range(total)))[:threshold]
    assert combine({index + 1: shares[index] for index in chosen}) == secret


@st.composite
def schemes(draw: st.DrawFn) -> Scheme:
    specs, threshold = draw(splits(3))
    levels = draw(st.lists(splits(3), min_size=1, max_size=3))
    changes: dict[str, Any] = {
        "SeedSpecThreshold": threshold,
        "SeedPeriodKeySplits": [{"Total": total, "Threshold": needed} for total, needed in levels],
    }
    return osl_config(scheme(*map(spec, range(specs)), **changes)).schemes[0]


def enough(owned: list[bool], levels: list[KeySplit]) -> bool:
    """Whether the periods that are had are enough, by the definition."""
    if not levels:
        (only,) = owned
        return only
    *lower, top = levels
    size = len(owned) // top.total
    parts = [owned[start : start + size] for start in range(0, len(owned), size)]
    return sum(enough(part, lower) for part in parts) >= top.threshold


@given(st.data(), schemes())
def test_whoever_has_enough_opens_and_nobody_else(data: st.DataObject, only: Scheme) -> None:
    key, listed = file_spec(only, CHANNEL, only.start)
    (again,) = read_registry(encode_registry([listed]))
    assert again == listed == FileSpec.from_cbor(listed.to_cbor())
    periods = only.duration // HOUR
    has = data.draw(st.lists(st.integers(0, 7), min_size=periods, max_size=periods))  # specs, as bits
    known = {}
    for period, mask in enumerate(has):
        for number, each in enumerate(only.seed_specs):
            if mask >> number & 1:
                slok = derive_slok(only.master_key, CHANNEL, each.id, only.start + period * HOUR)
                known[slok.id] = slok.key
    counts = [(mask & (1 << len(only.seed_specs)) - 1).bit_count() for mask in has]
    opens = enough([count >= only.seed_spec_threshold for count in counts], only.seed_period_key_splits)
    assert again.unlockable(known.get) is opens
    if opens:
        assert again.file_key(known.get) == key
    else:
        with pytest.raises(DocumentError):
            again.file_key(known.get)


@given(st.integers(-(10**19), 10**19), st.integers(1, 10**16))
def test_periods_follow_one_another(time: int, period: int) -> None:
    start = period_start(time, period)
    assert start <= time < start + period
    assert period_start(start, period) == start
    assert period_start(start - 1, period) == start - period


@given(st.integers(-(2**63), 2**64 - 1))
def test_le64(number: int) -> None:
    assert int.from_bytes(le64(number), "little") == number % 2**64


@example([(IPv4Address("0.0.0.0"), 0)], [IPv6Address("::ffff:0:0"), IPv6Address("::")])
@given(
    st.lists(st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), max_size=8),
    st.lists(st.ip_addresses(), max_size=20),
)
def test_a_set_of_networks_holds_what_one_of_them_holds(networks: list[Any], others: list[Any]) -> None:
    parsed = parse_networks([f"{address}/{bits}" for address, bits in networks])
    chosen = NetworkSet(parsed)
    edges = [(each[0], each[-1]) for each in parsed]
    for address in [*others, *itertools.chain.from_iterable(edges)]:
        meant = getattr(address, "ipv4_mapped", None) or address
        assert (address in chosen) is any(meant in network for network in parsed)


@given(st.binary(max_size=200), st.integers(1, 30))
def test_garbage_is_refused(data: bytes, size: int) -> None:
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    with pytest.raises(DocumentError):
        list(read_registry(chunks))
    with pytest.raises(DocumentError):
        FileSpec.from_cbor(data)


names = st.sampled_from(["ID", "KeyShares", "Threshold", "BoxedShares", "SLOKIDs", "MD5Sum"])
crooked = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(names, inner),
    max_leaves=20,
)


@given(crooked)
def test_json_of_all_kinds_is_read_or_refused(value: object) -> None:
    text = base64.b64encode(json.dumps({"FileSpecs": [value]}).encode())
    with pytest.raises(DocumentError):
        list(read_registry([text]))
