"""Made entries are what they are meant to stand for: readable, valid, dialable, different, and repeatable."""

import ipaddress
from collections import Counter

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import derived_tag
from headrace.documents.entry_signature import verify_entry
from headrace.documents.json_canonical import encode_canonical
from headrace.documents.server_entry import ServerEntry
from headrace.documents.server_list import encode_list, stream_list
from headrace.testing.entries import REGIONS, address_of, make_entries

COUNT = 300


def test_a_list_of_them_reads_back_whole() -> None:
    made = list(make_entries(COUNT))
    read = list(stream_list(encode_list(made).split("\n"), "REMOTE", "2030-01-01T00:00:00Z"))
    local = {"localSource": "REMOTE", "localTimestamp": "2030-01-01T00:00:00Z"}
    assert read == [{**fields, **local} for fields in made]


def test_they_are_of_the_usual_size_and_variety() -> None:
    entries = [ServerEntry.from_fields(fields) for fields in make_entries(COUNT)]
    sizes = [len(encode_canonical(entry.fields)) for entry in entries]
    assert 1600 < sum(sizes) / COUNT < 1800
    assert min(sizes) < 1500 < 1900 < max(sizes)
    assert {entry.region for entry in entries} == set(REGIONS)
    by_region = Counter(entry.region for entry in entries)
    assert by_region[REGIONS[0]] > by_region[REGIONS[-1]]
    assert len({tuple(entry.capabilities) for entry in entries}) > 50
    assert len({entry.ssh_obfuscated_key for entry in entries}) == COUNT
    for entry in entries:
        assert entry.dial_port("OSSH")
        assert entry.supports("OSSH")
        assert entry.supports_ssh_api
        assert entry.tag == derived_tag(entry.fields)
        host_key = load_ssh_public_key(f"ssh-rsa {entry.ssh_host_key}".encode())
        assert isinstance(host_key, rsa.RSAPublicKey)
        assert host_key.key_size == 2048


def test_addresses_differ_and_are_loopback() -> None:
    addresses = [str(fields["ipAddress"]) for fields in make_entries(COUNT)]
    assert len(set(addresses)) == COUNT
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)
    assert ipaddress.ip_address(address_of(1_000_000)).is_loopback
    assert next(make_entries(1, first=7))["ipAddress"] == address_of(7)


def test_they_are_the_same_again_and_others_for_another_seed() -> None:
    assert list(make_entries(20)) == list(make_entries(20))
    assert list(make_entries(20))[12:] == list(make_entries(8, first=12))
    ours, theirs = next(make_entries(1)), next(make_entries(1, seed=2))
    assert ours["ipAddress"] == theirs["ipAddress"]
    assert ours["sshPassword"] != theirs["sshPassword"]


def test_they_may_be_signed_and_sent_to_one_port() -> None:
    key = SigningKey(bytes(32))
    entries = list(make_entries(5, signing_key=key, port=9, capabilities=["SSH", "OSSH"]))
    for fields in entries:
        verify_entry(fields, key.public)
        entry = ServerEntry.from_fields(fields)
        assert entry.supported_protocols() == ["SSH", "OSSH"]
        assert {entry.dial_port(protocol) for protocol in entry.supported_protocols()} == {9}
