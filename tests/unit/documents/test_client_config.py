"""Client configuration files."""

import base64
import json
from collections.abc import Callable

import pytest
from rich.pretty import pretty_repr
from tests.package_keys import KEY

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.crypto.secret_box import seal_box
from headrace.documents.authorizations import AuthorizationKey
from headrace.documents.client_config import (
    ClientConfig,
    ClientRateLimits,
    NoticeFileSettings,
    read_client_config,
)
from headrace.obfuscation.prefix import PrefixSpecs

MINIMAL: dict[str, object] = {"PropagationChannelId": "FFFFFFFFFFFFFFFF", "SponsorId": "FFFFFFFFFFFFFFFF"}


def read(changes: dict[str, object], **overrides: object) -> ClientConfig:
    return read_client_config(json.dumps(MINIMAL | changes).encode(), "client.config", overrides)


def sealed(content: bytes, key: bytes = bytes(range(32))) -> str:
    return base64.b64encode(key + seal_box(key, content)).decode()


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
        ({"LocalHttpProxyPort": -1}, "LocalHttpProxyPort: -1 is no port"),
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
        (
            {"InitialLimitTunnelProtocols": ["ossh"]},
            "InitialLimitTunnelProtocols: ossh is no tunnel protocol",
        ),
        ({"InitialLimitTunnelProtocols": ["SSH"]}, "InitialLimitTunnelProtocols: works together with"),
        ({"InitialLimitTunnelProtocolsCandidateCount": 5}, "InitialLimitTunnelProtocols: works together"),
        ({"LimitTunnelDialPortNumbers": {"ossh": [1]}}, "LimitTunnelDialPortNumbers: ossh is no tunnel"),
        ({"LimitTunnelDialPortNumbers": {"OSSH": [0]}}, r"LimitTunnelDialPortNumbers.OSSH: 0 is neither"),
        ({"LimitTunnelDialPortNumbers": {"All": [[9, 1]]}}, r"LimitTunnelDialPortNumbers.All: \[9, 1\] is"),
        ({"LimitTunnelDialPortNumbers": [443]}, "LimitTunnelDialPortNumbers: expected an object, got a list"),
        ({"TunnelPoolSize": 33}, "TunnelPoolSize: write 32 at most"),
        ({"ConnectionWorkerPoolMaxSize": -1}, "ConnectionWorkerPoolMaxSize: -1 is below zero"),
        (
            {"LimitIntensiveConnectionWorkers": 1.5},
            "LimitIntensiveConnectionWorkers.*without a decimal point",
        ),
        (
            {"EstablishTunnelPausePeriodSeconds": -0.1},
            "EstablishTunnelPausePeriodSeconds: -0.1 is below zero",
        ),
        (
            {"EstablishTunnelSelectionPolicy": "best"},
            'EstablishTunnelSelectionPolicy: write "first-ready" or',
        ),
        ({"NetworkLatencyMultiplier": 0.5}, "NetworkLatencyMultiplier: write 1 or more"),
        ({"NetworkLatencyMultiplierLambda": -1}, "NetworkLatencyMultiplierLambda: -1.* is below zero"),
        ({"TargetAPIProtocol": "web"}, 'TargetAPIProtocol: write "ssh"'),
        (
            {"LivenessTestMinUpstreamBytes": 1},
            "LivenessTestMaxUpstreamBytes: is below LivenessTestMinUpstream",
        ),
        ({"LivenessTestMinDownstreamBytes": 1}, "LivenessTestMaxDownstreamBytes: is below"),
        ({"LivenessTestMaxDownstreamBytes": -1}, "LivenessTestMaxDownstreamBytes: is below"),
        ({"ReplayCandidateCount": -2}, "ReplayCandidateCount: -2 is below -1"),
        ({"ReplayDialParametersTTLSeconds": -1}, "ReplayDialParametersTTLSeconds: -1.* is below zero"),
        ({"ReplayRetainFailedProbability": 2}, "ReplayRetainFailedProbability: write a number from 0 to 1"),
        (
            {"SSHKeepAlivePeriodMinMilliseconds": 1},
            "SSHKeepAlivePeriodMinMilliseconds: give SSHKeepAlivePeriodMax",
        ),
        (
            {"SSHKeepAlivePeriodMinMilliseconds": 2, "SSHKeepAlivePeriodMaxMilliseconds": 1},
            "SSHKeepAlivePeriodMaxMilliseconds: is below SSHKeepAlivePeriodMin",
        ),
        (
            {"SSHKeepAlivePeriodMinMilliseconds": 0, "SSHKeepAlivePeriodMaxMilliseconds": 0},
            "SSHKeepAlivePeriodMaxMilliseconds: is not above zero",
        ),
        ({"RateLimits": {"ReadBytesPerSecond": -1}}, r"RateLimits.ReadBytesPerSecond: -1 is below zero"),
        (
            {"RateLimits": {"readbytespersecond": "1"}},
            r"RateLimits.ReadBytesPerSecond: expected a whole number",
        ),
        ({"RateLimits": 5}, "RateLimits: expected an object"),
        ({"UseNoticeFiles": True}, "UseNoticeFiles: expected an object"),
        ({"UseNoticeFiles": {"RotatingFileSize": -5}}, "UseNoticeFiles.RotatingFileSize: -5 is below zero"),
        ({"CustomHeaders": {"X": "a"}}, "CustomHeaders.*expected a list, got text"),
        ({"CustomHeaders": {"X Y": ["a"]}}, "CustomHeaders: has a header name that HTTP does not allow"),
        ({"UpstreamProxyCustomHeaders": {"X": ["a\nb"]}}, "CustomHeaders: has a value of X"),
        ({"AdditionalParameters": "?"}, "AdditionalParameters: cannot be opened: copy it whole"),
        ({"AdditionalParameters": "AAAA"}, "AdditionalParameters: cannot be opened"),
        (
            {"AdditionalParameters": sealed(b"[]")},
            "AdditionalParameters: what it holds: the file must hold one",
        ),
        ({"AdditionalParameters": sealed(b'{"EgressRegion": "de"}')}, "EgressRegion: write a country"),
        ({"BindInterface": "an-interface-name"}, "BindInterface: write what the system calls"),
        ({"BindInterface": "eth0\n"}, "BindInterface: write what the system calls"),
        ({"SplitTunnelRegions": ["NL", "nl"]}, "SplitTunnelRegions: write countries as two capital"),
        ({"SplitTunnelRegions": ["1A"]}, "SplitTunnelRegions: write countries as two capital"),
        (
            {"SplitTunnelExcludedHosts": ["a", "http://b/"]},
            "SplitTunnelExcludedHosts: 'http://b/' is no host",
        ),
        ({"EmbeddedServerEntryList": 5}, "EmbeddedServerEntryList: expected text or a list"),
    ],
)
def test_mistakes_name_file_field_and_remedy(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match="^client.config: " + problem):
        read(changes)


def test_sealed_fields_override_unless_they_are_zero() -> None:
    fields = {
        "egressregion": "NL",
        "LocalSocksProxyPort": 0,
        "DisableApi": False,
        "TunnelProtocol": "SSH",
        "ClientPlatform": "",
        "DeviceRegion": None,
        "Novelty": 1,
    }
    file = {
        "EgressRegion": "DE",
        "LocalSocksProxyPort": 1080,
        "DisableApi": True,
        "LimitTunnelProtocols": ["OSSH"],
        "ClientPlatform": "Linux",
        "DeviceRegion": "AT",
        "additionalparameters": sealed(json.dumps(fields).encode()),
    }
    config = read(file)
    assert (config.egress_region, config.local_socks_proxy_port, config.disable_api) == ("NL", 1080, True)
    assert (config.limit_tunnel_protocols, config.client_platform) == (["SSH"], "Linux")
    assert (config.device_region, config.unknown_fields) == ("AT", ["Novelty"])
    assert read(file, EgressRegion="FR").egress_region == "FR"


def test_what_names_the_network_may_be_sealed_too() -> None:
    text = json.dumps({"AdditionalParameters": sealed(json.dumps(MINIMAL).encode())})
    assert read_client_config(text.encode()).sponsor_id == "F" * 16


def test_fields_of_older_programs() -> None:
    config = read(
        {
            "UpstreamProxyUrl": "http://proxy.example:8080",
            "UpstreamProxyCustomHeaders": {"X-Plan": ["free"]},
            "DataStoreDirectory": "a",
            "RemoteServerListDownloadFilename": "b",
            "ObfuscatedServerListDownloadDirectory": "c",
            "UpgradeDownloadFilename": "d",
            "MigrateUpgradeDownloadFilename": "e",
        }
    )
    assert config.upstream_proxy_url == "http://proxy.example:8080"
    assert config.custom_headers == {"X-Plan": ["free"]}
    assert [
        config.migrate_data_store_directory,
        config.migrate_remote_server_list_download_filename,
        config.migrate_obfuscated_server_list_download_directory,
        config.migrate_upgrade_download_filename,
    ] == ["a", "b", "c", "e"]
    assert config.unknown_fields == []


def test_objects_within() -> None:
    config = read(
        {
            "RateLimits": {"readBytesPerSecond": 5, "CloseAfterExhausted": None, "Other": 1},
            "UseNoticeFiles": {"rotatingfilesize": 100},
            "LimitTunnelDialPortNumbers": {"All": [443, [8000, 8100]]},
        }
    )
    assert config.rate_limits == ClientRateLimits(read_bytes_per_second=5)
    assert config.use_notice_files == NoticeFileSettings(rotating_file_size=100)
    assert config.limit_tunnel_dial_port_numbers == {"All": [443, [8000, 8100]]}
    assert read({"RateLimits": None, "UseNoticeFiles": {}}).use_notice_files == NoticeFileSettings()


AUTHORIZATION, _ = AuthorizationKey.generate("speed", SeededRng(1)).issue(b"purchase", 2e9)

SECRETS: dict[str, object] = {
    "UpstreamProxyURL": "http://annalise:hidden@proxy.example:80",
    "Authorizations": [AUTHORIZATION],
    "TargetServerEntry": "hidden",
    "EmbeddedServerEntryList": ["hidden"],
    "CustomHeaders": {"X": ["hidden"]},
    "NetworkID": "WIFI-hidden",
    "DeviceLocation": "hidden",
    "LocalProxyUsername": "annalise",
    "LocalProxyPassword": "hidden",
    "SplitTunnelExcludedHosts": ["hidden"],
}


@pytest.mark.parametrize("show", [repr, str, lambda config: pretty_repr(config)])
def test_what_it_shows_of_itself(show: Callable[[ClientConfig], str]) -> None:
    box = sealed(b'{"SessionID": "0123456789abcdef0123456789abcdef"}')
    config = read(SECRETS | {"EgressRegion": "NL", "AdditionalParameters": box})
    assert config.session_id
    text = show(config)
    assert "egress_region='NL'" in text
    assert text.count("[secret]") == len(SECRETS) + 2
    for secret in ("hidden", "annalise", AUTHORIZATION, box, config.session_id):
        assert secret not in text
    assert "disable_api" not in text


@pytest.mark.parametrize("text", ["", "hidden", AUTHORIZATION[:-8], "e30="])
def test_an_authorization_that_is_none_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(DocumentError, match=r"Authorizations\[1\]: is no authorization") as error:
        read({"Authorizations": [AUTHORIZATION, text]})
    assert not text or text not in str(error.value)
