"""The probes of each class: as many as are wanted, spread over all their variants."""

from collections import Counter
from dataclasses import replace

import pytest

from headrace.base.rng import SeededRng
from headrace.obfuscation.default_prefix import default_prefixes
from headrace.resist.probes.greetings import GREETINGS
from headrace.resist.probes.kinds import FULL, LENGTHS, Material, probes_of
from headrace.resist.probes.probe import Probe
from headrace.resist.probes.recording import Client

CLIENT, STRANGER = Client(b"one server"), Client(b"another")


@pytest.fixture(scope="module")
def material() -> Material:
    rng = SeededRng(1)
    recordings = [CLIENT.record(rng, prefixed=prefixed, padding=64) for prefixed in (False, True)]
    return Material(CLIENT, STRANGER, recordings, 5.0)


def drawn(kind: str, material: Material, count: int) -> list[Probe]:
    return probes_of(kind, material, SeededRng(2), count)


@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("count", [1, 7, 50])
def test_there_are_as_many_as_wanted(kind: str, count: int, material: Material) -> None:
    probes = drawn(kind, material, count)
    assert len(probes) == count
    assert {probe.kind for probe in probes} == {kind}


def test_a_full_set_has_every_length_and_every_protocol_equally_often(material: Material) -> None:
    assert Counter(probe.size for probe in drawn("P1", material, FULL["P1"])) == dict.fromkeys(LENGTHS, 10)
    names = Counter(probe.name for probe in drawn("P2", material, FULL["P2"]))
    assert names == dict.fromkeys(GREETINGS, 50)


def test_a_few_are_spread_over_all_lengths(material: Material) -> None:
    sizes = [probe.size for probe in drawn("P1", material, 10)]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 1
    assert sizes[-1] > 1000


def test_cuts_are_in_every_field(material: Material) -> None:
    sizes = {probe.name: probe.size for probe in drawn("P3", material, FULL["P3"])}
    assert [sizes[f"seed message [:{end}]"] for end in (1, 16, 24, 44)] == [1, 16, 24, 44]
    assert sizes["seed message [:-1]"] > 24
    six = replace(material, client=Client(b"one server", default_prefixes(("printable",))))
    sizes = {probe.name: probe.size for probe in drawn("P3", six, FULL["P3"])}
    names = ("10% of a prefix", "90% of a prefix", "prefix and 1 bytes", "prefix and 40 bytes")
    assert [sizes[name] for name in names] == [1, 5, 7, 46]


def test_a_flipped_recording_differs_in_one_bit(material: Material) -> None:
    for probe in drawn("P5", material, 200):
        (data,) = probe.pieces
        distances = [
            sum((a ^ b).bit_count() for a, b in zip(data, recording.data, strict=True))
            for recording in material.recordings
            if len(recording.data) == len(data)
        ]
        assert min(distances) == 1


def test_a_full_set_alters_every_byte_of_either_form(material: Material) -> None:
    altered = Counter(
        (recording.prefix > 0, place)
        for probe in drawn("P5", material, FULL["P5"])
        for recording in material.recordings
        if len(recording.data) == probe.size
        for place in range(probe.size)
        if probe.pieces[0][place] != recording.data[place]
    )
    assert set(altered) == {
        (recording.prefix > 0, place)
        for recording in material.recordings
        for place in range(len(recording.data))
    }


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("HTTP GET", b"GET / HTTP/1.1\r\n"),
        ("HTTP POST", b"POST /upload HTTP/1.1\r\n"),
        ("TLS 1.3", b"\x16\x03"),
        ("TLS as Tor's", b"\x16\x03"),
        ("SSH", b"SSH-2.0-"),
        ("SMTP", b"EHLO "),
        ("SOCKS5", b"\x05"),
        ("MTProto", b"\xee" * 4),
        ("nothing", b""),
    ],
)
def test_greetings(name: str, start: bytes) -> None:
    assert GREETINGS[name](SeededRng(3)).startswith(start)
