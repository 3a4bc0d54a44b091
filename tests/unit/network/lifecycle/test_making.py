"""New keys are there for all that needs them, in the forms that the model names."""

import base64
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from headrace.base.rng import SeededRng
from headrace.network.lifecycle.making import make_host_secrets, make_server_secrets
from headrace.network.model import SECRETS, Host, Server
from headrace.ssh.host_keys import HostKey

KEY = HostKey.generate("ed25519")
ALWAYS = {"ssh_username", "ssh_password", "ssh_private_key", "web_secret"}


def test_a_plain_server_has_a_log_in_a_host_key_and_a_web_secret() -> None:
    made = make_server_secrets(["SSH"], SeededRng(1), KEY)
    assert made.secrets.keys() == ALWAYS
    assert base64.b64decode(made.columns["ssh_host_key"]) == KEY.blob
    assert HostKey.from_pem(made.secrets["ssh_private_key"]).blob == KEY.blob
    assert len(bytes.fromhex(made.secrets["web_secret"])) == 32


def test_a_host_key_is_made_that_all_clients_know() -> None:
    made = make_server_secrets(["SSH"], SeededRng(1))
    assert b"ssh-rsa" in base64.b64decode(made.columns["ssh_host_key"])


@pytest.mark.parametrize("capability", ["OSSH", "QUIC", "TAPDANCE", "CONJURE"])
def test_what_is_obfuscated_has_a_keyword(capability: str) -> None:
    made = make_server_secrets([capability], SeededRng(1), KEY)
    assert made.secrets.keys() == ALWAYS | {"obfuscation_key"}


def test_shadowsocks_has_a_key_of_its_own() -> None:
    made = make_server_secrets(["SHADOWSOCKS"], SeededRng(1), KEY)
    assert len(base64.b64decode(made.secrets["shadowsocks_key"])) == 32


@dataclass
class Case:
    capabilities: list[str]
    secrets: set[str]
    columns: set[str]


@pytest.mark.parametrize(
    "case",
    [
        Case(["SSH", "OSSH"], set(), set()),
        Case(["TLS"], {"meek_obfuscation_key"}, set()),
        Case(
            ["UNFRONTED-MEEK"],
            {"meek_obfuscation_key", "meek_cookie_private_key"},
            {"meek_cookie_public_key"},
        ),
        Case(
            ["FRONTED-MEEK-TACTICS"],
            {
                "meek_obfuscation_key",
                "meek_cookie_private_key",
                "tactics_request_private_key",
                "tactics_request_obfuscation_key",
            },
            {"meek_cookie_public_key", "tactics_request_public_key"},
        ),
        Case(
            ["INPROXY-WEBRTC-SSH"],
            {"inproxy_session_private_key", "inproxy_session_root_obfuscation_secret"},
            {"inproxy_session_public_key"},
        ),
    ],
    ids=lambda case: case.capabilities[0],
)
def test_a_host_has_what_its_capabilities_need_and_no_more(case: Case) -> None:
    made = make_host_secrets(case.capabilities, SeededRng(1))
    assert made.secrets.keys() == case.secrets
    assert made.columns.keys() == case.columns
    assert made.secrets.keys() <= SECRETS[Host].keys()


def test_public_halves_belong_to_the_private_ones() -> None:
    made = make_host_secrets(["FRONTED-MEEK-TACTICS"], SeededRng(1))
    for name in ("meek_cookie", "tactics_request"):
        private = X25519PrivateKey.from_private_bytes(base64.b64decode(made.secrets[f"{name}_private_key"]))
        public = private.public_key().public_bytes_raw()
        assert base64.b64decode(made.columns[f"{name}_public_key"]) == public


def test_all_that_is_made_has_a_place_in_the_model_and_no_repr_shows_it() -> None:
    made = make_server_secrets(["OSSH", "SHADOWSOCKS"], SeededRng(1), KEY)
    assert made.secrets.keys() == SECRETS[Server].keys()
    assert not [secret for secret in made.secrets.values() if secret in repr(made)]
