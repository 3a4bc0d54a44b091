"""Client configuration files."""

import base64
import json

import pytest
from tests.package_keys import KEY

from headrace.base.errors import DocumentError
from headrace.documents.client_config import ClientConfig, read_client_config
from headrace.obfuscation.prefix import PrefixSpecs

MINIMAL: dict[str, object] = {"PropagationChannelId": "FFFFFFFFFFFFFFFF", "SponsorId": "FFFFFFFFFFFFFFFF"}


def read(changes: dict[str, object], **overrides: object) -> ClientConfig:
    return read_client_config(json.dumps(MINIMAL | changes).encode(), "client.config", overrides)


def test_a_file_from_the_field_loads_unchanged() -> None:
    config = read(
        {
            "LocalHttpProxyPort": 8081,
            "LocalSocksProxyPort": 1081,
            "EgressRegion": "US",
            "RemoteServerListDownloadFilename": "remote_server_list",
            "RemoteServerListSignaturePublicKey": KEY.public.to_text(),
            "RemoteServerListUrl": "https://example.org/list",
            "UseIndistinguishableTLS": True,
        }
    )
    assert (config.local_socks_proxy_port, config.local_http_proxy_port) == (1081, 8081)
    assert config.egress_region == "US"
    assert config.unknown_fields == ["UseIndistinguishableTLS"]
    assert config.migrate_remote_server_list_download_filename == "remote_server_list"
    assert config.remote_server_lists is not None
    assert config.remote_server_lists.canonical_url == "https://example.org/list"


LIST = {"URL": base64.b64encode(b"https://example.org/x").decode(), "OnlyAfterAttempts": 0}


def test_where_server_lists_are() -> None:
    fields = {"RemoteServerListSignaturePublicKey": KEY.public.to_text()}
    config = read({**fields, "RemoteServerListURLs": [LIST], "obfuscatedserverlistrooturls": [LIST]})
    assert config.remote_server_lists is not None
    assert config.obfuscated_server_list_roots is not None
    assert config.obfuscated_server_list_roots.canonical_url == "https://example.org/x"
    legacy = read({**fields, "ObfuscatedServerListRootURL": "https://example.org/old"})
    assert legacy.remote_server_lists is None
    assert legacy.obfuscated_server_list_roots is not None
    assert legacy.obfuscated_server_list_roots.canonical_url == "https://example.org/old"
    both = read({**fields, "RemoteServerListURLs": [LIST], "RemoteServerListUrl": "https://example.org/old"})
    assert both.remote_server_lists is not None
    assert both.remote_server_lists.canonical_url == "https://example.org/x"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"RemoteServerListURLs": [LIST]}, "RemoteServerListSignaturePublicKey is missing: add the key"),
        ({"RemoteServerListUrl": "https://a"}, "RemoteServerListSignaturePublicKey is missing"),
        ({"ObfuscatedServerListRootURLs": [LIST]}, "RemoteServerListSignaturePublicKey is missing"),
        (
            {"RemoteServerListURLs": [LIST], "RemoteServerListSignaturePublicKey": "AAAA"},
            "RemoteServerListSignaturePublicKey: this public key",
        ),
        ({"RemoteServerListURLs": [{**LIST, "OnlyAfterAttempts": 1}]}, "RemoteServerListURLs: .*at once"),
        ({"RemoteServerListURLs": [{"URL": "?"}]}, r"RemoteServerListURLs.*\[0\]: URL is not"),
        ({"RemoteServerListURLs": "https://a"}, "RemoteServerListURLs: expected a list"),
        ({"RemoteServerListUrl": 5}, "RemoteServerListURLs"),
        ({"ServerEntrySignaturePublicKey": "AAAA"}, "ServerEntrySignaturePublicKey: .*32 bytes"),
        ({"FetchRemoteServerListRetryPeriodMilliseconds": -1}, "FetchRemoteServerList.*below zero"),
        ({"EstablishTunnelWorkTimeSeconds": -0.5}, "EstablishTunnelWorkTimeSeconds.*not above zero"),
        ({"EstablishTunnelWorkTimeSeconds": 0}, "EstablishTunnelWorkTimeSeconds.*not above zero"),
    ],
)
def test_lists_that_could_not_be_fetched_are_mistakes(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        read(changes)


def test_defaults() -> None:
    config = read({})
    assert config == ClientConfig(propagation_channel_id="F" * 16, sponsor_id="F" * 16)
    assert config.client_version == "0"
    assert config.establish_tunnel_timeout_seconds is None
    assert config.prefixes() == PrefixSpecs()


def test_names_match_in_any_case_and_null_is_absent() -> None:
    config = read({"disablelocalhttpproxy": True, "SESSIONID": "0" * 32, "ClientVersion": None})
    assert config.disable_local_http_proxy
    assert config.session_id == "0" * 32
    assert config.client_version == "0"


def test_legacy_protocol() -> None:
    assert read({"TunnelProtocol": "OSSH"}).limit_tunnel_protocols == ["OSSH"]
    assert read({"TunnelProtocol": ""}).limit_tunnel_protocols == []
    both = read({"TunnelProtocol": "OSSH", "LimitTunnelProtocols": ["SSH"]})
    assert both.limit_tunnel_protocols == ["SSH"]


def test_overrides_win() -> None:
    assert read({"listeninterface": "eth0"}, ListenInterface="any").listen_interface == "any"


@pytest.mark.parametrize("entries", [["aa", "bb"], "aa\nbb\n", "aa\r\nbb"])
def test_embedded_entries_as_list_or_lines(entries: object) -> None:
    assert read({"EmbeddedServerEntryList": entries}).embedded_server_entries == ["aa", "bb"]


def test_prefix() -> None:
    config = read(
        {
            "OSSHPrefixSpecs": {"HTTP": [["", "GET /[a-z]+"]]},
            "OSSHPrefixScopedSpecNames": {"": ["HTTP"], "53": []},
            "OSSHPrefixProbability": 1,
            "OSSHPrefixSplitMinDelayMilliseconds": 5,
            "OSSHPrefixSplitMaxDelayMilliseconds": 20,
        }
    )
    assert config.prefixes() == PrefixSpecs.compile(
        {"HTTP": "GET /[a-z]+"},
        names_by_port={"": ["HTTP"], "53": []},
        probability=1.0,
        split_delay=(0.005, 0.02),
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"SponsorId": ""}, "SponsorId is missing: add the value you were given"),
        ({"PropagationChannelId": None}, "PropagationChannelId is missing"),
        ({"ClientVersion": 1}, "ClientVersion: expected text, got a whole number: put it in quotes"),
        ({"ClientVersion": "1.0"}, "ClientVersion: write a whole number in quotes"),
        ({"LocalSocksProxyPort": 65536}, "LocalSocksProxyPort: 65536 is no port"),
        ({"LocalHttpProxyPort": -1}, "LocalHttpProxyPort: -1 is no port"),
        ({"LocalSocksProxyPort": 80, "LocalHttpProxyPort": 80}, "LocalHttpProxyPort: is the same as"),
        ({"SessionID": "0" * 31}, "SessionID: write 32"),
        ({"SessionID": "A" * 32}, "SessionID: write 32"),
        ({"TargetAPIEncoding": "xml"}, 'TargetAPIEncoding: write "cbor" or "json"'),
        ({"LimitTunnelProtocols": ["ossh"]}, "LimitTunnelProtocols: ossh is no tunnel protocol"),
        ({"TunnelProtocol": 5}, r"LimitTunnelProtocols\[0\]: expected text"),
        ({"EgressRegion": "Germany"}, "EgressRegion: write a country as two capital letters"),
        ({"EgressRegion": "de"}, "EgressRegion: write a country as two capital letters"),
        ({"EstablishTunnelTimeoutSeconds": -1}, "EstablishTunnelTimeoutSeconds: -1 is below zero"),
        ({"OSSHPrefixProbability": 1.5}, "OSSHPrefixProbability: write a number from 0 to 1"),
        ({"OSSHPrefixSplitMinDelayMilliseconds": 1}, "OSSHPrefixSplitMaxDelayMilliseconds: is below"),
        ({"OSSHPrefixSpecs": {"a": []}}, "OSSHPrefixSpecs: spec a has 0 pairs"),
        ({"OSSHPrefixSpecs": {"a": [["x"]]}}, "OSSHPrefixSpecs.*expected array of length 2, got 1"),
        (
            {"OSSHPrefixScopedSpecNames": {"": ["b"]}},
            "OSSHPrefixScopedSpecNames: b is not in OSSHPrefixSpecs",
        ),
        ({"OSSHPrefixSpecs": {"a": [["", "a**"]]}}, "prefix spec 'a': regular expression, at character 2"),
        ({"OSSHPrefixScopedSpecNames": {"http": []}}, "prefix specs by port: 'http' is not a port"),
        ({"OSSHPrefixScopedSpecNames": {"": "get"}}, "OSSHPrefixScopedSpecNames.*expected a list, got text"),
        ({"OSSHPrefixProbability": True}, "OSSHPrefixProbability: expected a number, got true or false"),
        ({"OSSHPrefixSplitMaxDelayMilliseconds": 10_001}, "prefix split delays must rise and stay within"),
        ({"EmbeddedServerEntryList": 5}, "EmbeddedServerEntryList: expected text or a list"),
    ],
)
def test_mistakes_name_file_field_and_remedy(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match="^client.config: " + problem):
        read(changes)


def test_equal_ports_are_fine_when_one_proxy_is_off() -> None:
    ports: dict[str, object] = {"LocalSocksProxyPort": 80, "LocalHttpProxyPort": 80}
    assert read(ports | {"DisableLocalSocksProxy": True}).local_http_proxy_port == 80
    assert read(ports | {"DisableLocalHTTPProxy": True}).local_socks_proxy_port == 80
