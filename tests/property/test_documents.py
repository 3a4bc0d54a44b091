"""Properties of the documents: there and back, canonical means canonical, garbage is refused."""

import contextlib
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import DocumentError
from headrace.base.redact import scrub_addresses
from headrace.crypto.signing import SigningKey
from headrace.documents.client_config import read_client_config
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.entry_signature import sign_entry, signed_message, verify_entry
from headrace.documents.json_canonical import decode_json, encode_canonical
from headrace.documents.port_policy import parse_ports
from headrace.documents.psinet import Audience, platform_family, read_psinet
from headrace.documents.server_config import read_server_config
from headrace.documents.server_entry import ServerEntry
from headrace.documents.traffic_filter import matches_pattern
from headrace.documents.traffic_rules import read_traffic_rules

KEY = SigningKey(bytes(32))

numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
objects = st.dictionaries(st.text(), json_values, max_size=8)


@given(json_values)
def test_canonical_json_is_json_and_canonical(value: object) -> None:
    canonical = encode_canonical(value)
    as_doubles = json.loads(json.dumps(value), parse_int=float)
    assert json.loads(canonical, parse_int=float) == as_doubles
    assert encode_canonical(decode_json(canonical)) == canonical
    assert encode_canonical(decode_json(json.dumps(value, indent=1).encode())) == canonical


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_as_short_as_can_be(number: float) -> None:
    text = encode_canonical(number).decode()
    assert float(text) == number
    digits = text.lstrip("-").partition("e")[0].replace(".", "").strip("0")
    assert len(digits) <= 17
    assert ("e" in text) is (number != 0 and not 1e-6 <= abs(number) < 1e21)


@given(objects)
def test_entries_there_and_back(fields: dict[str, object]) -> None:
    line = encode_fields(fields)
    assert decode_fields(line) == fields
    assert encode_fields(decode_fields(line.upper())) == line


@given(objects, st.integers(min_value=0), st.integers(0, 7))
def test_a_signature_covers_every_bit(fields: dict[str, object], position: int, bit: int) -> None:
    signed = sign_entry(fields, KEY)
    verify_entry(decode_fields(encode_fields(signed)), KEY.public)
    canonical = bytearray(encode_canonical({k: v for k, v in signed.items() if k != "signature"}))
    canonical[position % len(canonical)] ^= 1 << bit
    try:
        tampered = decode_json(bytes(canonical))
    except DocumentError:
        return
    # Fields about the copy rather than the server are not signed.
    if isinstance(tampered, dict) and signed_message(tampered) != signed_message(signed):
        with pytest.raises(DocumentError):
            verify_entry({**tampered, "signature": signed["signature"]}, KEY.public)


def read_everything(data: bytes) -> None:
    for read in (read_client_config, read_server_config, read_traffic_rules, read_psinet):
        with contextlib.suppress(DocumentError):
            read(data)
    with contextlib.suppress(DocumentError):
        ServerEntry.decode((b"0 0 0 0 " + data).hex())


@given(st.binary(max_size=200) | objects.map(encode_canonical))
def test_garbage_is_refused_as_such(data: bytes) -> None:
    read_everything(data)


known_names = st.sampled_from(
    "PropagationChannelId SponsorId LocalSocksProxyPort OSSHPrefixSpecs SessionID ServerIPAddress "
    "TunnelProtocolPorts OwnEncodedServerEntries DefaultRules FilteredRules ipAddress sshPort sponsors "
    "client_versions default_sponsor_id valid_server_entry_tags discovery_servers".split()
)


@given(st.dictionaries(known_names, json_values))
def test_ill_typed_fields_are_refused_as_such(fields: dict[str, object]) -> None:
    read_everything(encode_canonical(fields))


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 50))), st.integers(0, 400))
def test_port_sets(ranges: list[tuple[int, int]], port: int) -> None:
    expected = any(low <= port <= low + width for low, width in ranges)
    assert (port in parse_ports([[low, low + width] for low, width in ranges])) is expected


def fits(rest: str, parts: list[str]) -> bool:
    """Slow and obviously right: try every place for the next part, the last being the end."""
    if len(parts) == 1:
        return rest.endswith(parts[0])
    places = [at for at in range(len(rest) + 1) if rest.startswith(parts[0], at)]
    return any(fits(rest[at + len(parts[0]) :], parts[1:]) for at in places)


@given(st.text("ab", max_size=8), st.lists(st.text("ab", max_size=3), min_size=2, max_size=4))
def test_patterns(value: str, parts: list[str]) -> None:
    first, *others = parts
    expected = value.startswith(first) and fits(value[len(first) :], others)
    assert matches_pattern(value, "*".join(parts)) is expected


@given(st.ip_addresses(), st.text("!\"#&'()*+,/;<=>?@[]^_`{|}~ xyz", max_size=5))
def test_no_address_gets_through(address: object, around: str) -> None:
    if str(address) != "::":
        assert str(address) not in scrub_addresses(f"{around} {address} {around}")


@given(st.text(), st.text(), st.text(), st.text())
def test_what_fills_a_url_adds_nothing_to_it(region: str, asn: str, device: str, platform: str) -> None:
    said = {"device_region": device, "client_platform": platform}
    (url,) = Audience.of(said, region, asn).address(
        ["https://a/?client_region=XX&client_asn=XX&device_region=XX&client_platform=XX"]
    )
    shown = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True))
    assert shown == {
        "client_region": region,
        "client_asn": asn,
        "device_region": device,
        "client_platform": platform_family(platform).lower(),
    }
