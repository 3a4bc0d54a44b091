"""The choices for one attempt."""

import base64
from collections.abc import Mapping

import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.capabilities import SHIPPED_PREFIXES
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.establishment.dial_settings import DialSettings
from headrace.obfuscation.default_prefix import DEFAULT_SPEC, default_prefixes
from headrace.obfuscation.prefix import PrefixSpecs

FIELDS: dict[str, object] = {
    "ipAddress": "192.0.2.1",
    "sshPort": 22,
    "sshObfuscatedPort": 53,
    "sshObfuscatedKey": "keyword",
    "sshHostKey": base64.b64encode(b"host key").decode(),
    "capabilities": ["SSH", "OSSH"],
    "tag": "a tag",
}


def entry(**changes: object) -> ServerEntry:
    fields = {**FIELDS, **changes}
    return ServerEntry.from_fields({name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize(("protocol", "port"), [("SSH", 22), ("OSSH", 53)])
def test_an_attempt_says_all_there_is_to_know(protocol: str, port: int) -> None:
    attempt = choose(entry(), protocol, SeededRng(1), 7)
    assert (attempt.protocol, attempt.host, attempt.port) == (protocol, "192.0.2.1", port)
    assert attempt.host_key == b"host key"
    assert attempt.candidate_number == 7
    assert attempt.diagnostic_id == attempt.entry.diagnostic_id


def test_the_identification_is_a_common_one_and_not_always_the_same() -> None:
    seen = {choose(entry(), "SSH", SeededRng(seed)).identification for seed in range(50)}
    assert len(seen) > 2
    assert all(text.startswith("SSH-2.0-OpenSSH_") for text in seen)


def test_the_same_draws_make_the_same_attempt() -> None:
    assert choose(entry(), "OSSH", SeededRng(3)) == choose(entry(), "OSSH", SeededRng(3))


@pytest.mark.parametrize(
    ("protocol", "changes", "problem"),
    [
        ("OSSH", {"sshObfuscatedPort": 0}, "port"),
        ("OSSH", {"sshObfuscatedPort": -1}, "port"),
        ("SSH", {"sshPort": 65536}, "port"),
        ("SSH", {"sshPort": None}, "port"),
        ("OSSH", {"sshObfuscatedKey": ""}, "sshObfuscatedKey"),
        ("SSH", {"sshHostKey": ""}, "sshHostKey"),
        ("SSH", {"sshHostKey": "====="}, "base64"),
        ("SSH", {"sshHostKey": "ключ"}, "base64"),
        ("SSH", {"ipAddress": ""}, "ipAddress"),
        ("SSH", {"ipAddress": "localhost"}, "ipAddress"),
        ("SSH", {"ipAddress": "127.1"}, "ipAddress"),
        ("SSH", {"ipAddress": "fe80::1%eth0"}, "ipAddress"),
        ("SSH", {"ipAddress": "a..b"}, "ipAddress"),
    ],
)
def test_what_is_missing_is_named_and_nothing_secret_is_repeated(
    protocol: str, changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(DocumentError, match=problem) as failure:
        choose(entry(**changes), protocol, SeededRng(1))
    assert "keyword" not in str(failure.value)
    assert "192.0.2.1" not in str(failure.value)


def test_every_choice_is_made_beforehand() -> None:
    prefixes = PrefixSpecs.compile({"get": "GET /[a-z]{8} "}, names_by_port={"": ["get"]}, probability=1.0)
    settings = DialSettings(
        prefixes=prefixes, padding=(40, 60), liveness_up=(1, 1000), liveness_down=(2000, 3000)
    )
    attempts = [choose(entry(), "OSSH", SeededRng(seed), settings=settings) for seed in range(60)]
    assert {attempt.padding for attempt in attempts} > {41, 59}
    assert all(40 <= attempt.padding <= 60 for attempt in attempts)
    assert len({attempt.seed for attempt in attempts}) == 60
    assert len({attempt.latency_multiplier for attempt in attempts}) == 60
    for attempt in attempts:
        assert attempt.prefix is not None and attempt.prefix.data.startswith(b"GET /")
        assert attempt.liveness is not None
        assert 1 <= attempt.liveness.up <= 1000 and 2000 <= attempt.liveness.down <= 3000
        assert not (attempt.is_replay or attempt.replay_ignored_change or attempt.head_start)
    assert choose(entry(), "OSSH", SeededRng(1)).liveness is None
    assert choose(entry(disableOSSHPrefix=True), "OSSH", SeededRng(1), settings=settings).prefix is None
    assert choose(entry(), "SSH", SeededRng(1), settings=settings).prefix is None


def test_the_lengths_of_packets_follow_from_the_attempt() -> None:
    attempt = choose(entry(), "OSSH", SeededRng(1))
    lengths = [attempt.shape().between(0, 255) for _ in range(2)]
    assert lengths[0] == lengths[1]
    assert choose(entry(), "OSSH", SeededRng(2)).shape().bytes(8) != attempt.shape().bytes(8)
    assert repr(attempt.seed) not in repr(attempt)


def test_plain_ssh_needs_no_obfuscation_key() -> None:
    assert choose(entry(sshObfuscatedKey=None), "SSH", SeededRng(1)).port == 22


KNOWS_OURS = {"capabilities": ["SSH", "OSSH", SHIPPED_PREFIXES]}
CONFIGURED = PrefixSpecs.compile({"a": "prefix"}, names_by_port={"": ["a"]}, probability=1)


@pytest.mark.parametrize(
    ("protocol", "changes", "settings", "name"),
    [
        ("OSSH", KNOWS_OURS, DialSettings(), DEFAULT_SPEC),
        ("OSSH", {}, DialSettings(), None),
        ("SSH", KNOWS_OURS, DialSettings(), None),
        ("OSSH", {**KNOWS_OURS, "disableOSSHPrefix": True}, DialSettings(), None),
        ("OSSH", KNOWS_OURS, DialSettings(shipped_prefixes=default_prefixes(())), None),
        (
            "OSSH",
            KNOWS_OURS,
            DialSettings(shipped_prefixes=default_prefixes(["http-chunked"])),
            "http-chunked",
        ),
        ("OSSH", {}, DialSettings(shipped_prefixes=default_prefixes(["http-chunked"])), None),
        ("OSSH", KNOWS_OURS, DialSettings(prefixes=CONFIGURED), "a"),
        ("OSSH", {}, DialSettings(prefixes=CONFIGURED), "a"),
        ("OSSH", {"disableOSSHPrefix": True}, DialSettings(prefixes=CONFIGURED), None),
    ],
)
def test_what_a_tunnel_begins_with(
    protocol: str, changes: dict[str, object], settings: DialSettings, name: str | None
) -> None:
    prefix = choose(entry(**changes), protocol, SeededRng(1), settings=settings).prefix
    assert (prefix.name if prefix else None) == name
    assert (prefix.framed if prefix else False) is (name == "http-chunked")


def test_there_is_little_padding_behind_a_prefix_of_ours() -> None:
    def most(changes: Mapping[str, object], padding: tuple[int, int] = (32, 8192)) -> int:
        settings = DialSettings(padding=padding)
        return max(
            choose(entry(**changes), "OSSH", SeededRng(seed), settings=settings).padding
            for seed in range(200)
        )

    assert 900 < most(KNOWS_OURS) <= 992
    assert most({}) > 7000
    assert most(KNOWS_OURS, (32, 64)) <= 64
    assert most(KNOWS_OURS, (2000, 3000)) == 2000  # as far as the configuration lets it
