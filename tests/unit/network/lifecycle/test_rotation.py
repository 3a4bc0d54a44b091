"""New keys are the ones that were asked for, and clients come to prefer the entries that have them."""

import base64

import pytest

from headrace.base.errors import OperatorError
from headrace.network.book import Book, Change
from headrace.network.lifecycle.making import make_host_secrets
from headrace.network.lifecycle.rotation import WHICH, rotatable, rotate_keys
from headrace.network.model import Server
from headrace.ssh.host_keys import HostKey

FIRST = "198.18.0.1"
KEY = HostKey.generate("ed25519")
SECRETS = {
    "login": {"ssh_username", "ssh_password"},
    "host-key": {"ssh_private_key"},
    "obfuscation": {"obfuscation_key"},
    "web-secret": {"web_secret"},
    "meek": {"meek_obfuscation_key", "meek_cookie_private_key"},
    "tactics": {"tactics_request_private_key", "tactics_request_obfuscation_key"},
    "inproxy": {"inproxy_session_private_key", "inproxy_session_root_obfuscation_secret"},
}


def with_everything(change: Change) -> Server:
    """Return a server whose host has keys of all kinds."""
    server = change.server(FIRST)
    made = make_host_secrets(["FRONTED-MEEK-TACTICS", "INPROXY-WEBRTC-SSH"], change.rng)
    change.set_secrets(server.host, made.secrets)
    for name, value in made.columns.items():
        setattr(server.host, name, value)
    change.settle()
    return server


@pytest.mark.parametrize("which", WHICH)
def test_what_is_asked_for_is_new_and_nothing_else(book: Book, which: str) -> None:
    with book.change("ann", "test") as change:
        server = with_everything(change)
        before = dict(change.secrets(server)) | dict(change.secrets(server.host))
        version = server.configuration_version
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        renewed = rotate_keys(change, server, [which], KEY)
        after = dict(change.secrets(server)) | dict(change.secrets(server.host))
        changed = {name for name in before if before[name] != after[name]}
        assert after.keys() == before.keys()
    assert changed == SECRETS[which] == set(renewed)
    with book.view() as view:
        assert view.server(FIRST).configuration_version == version + 1


def test_public_halves_change_with_private_ones(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = with_everything(change)
        host = server.host
        old = (host.meek_cookie_public_key, host.tactics_request_public_key, host.inproxy_session_public_key)
        other = HostKey.generate("ed25519")
        rotate_keys(change, server, WHICH, other)
        new = (host.meek_cookie_public_key, host.tactics_request_public_key, host.inproxy_session_public_key)
        assert not set(old) & set(new) and all(new)
        assert base64.b64decode(server.ssh_host_key) == other.blob


def test_a_new_web_secret_makes_it_another_server_to_clients(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        tag = server.tag
        rotate_keys(change, server, ["web-secret"])
        change.settle()
        assert server.tag != tag


def test_keys_that_a_server_does_not_have_are_not_made(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        assert rotatable(change, server) == ("login", "host-key", "obfuscation", "web-secret")
        with pytest.raises(OperatorError, match="has no meek keys"):
            rotate_keys(change, server, ["login", "meek"])
        with pytest.raises(OperatorError, match=r"no keys called 'ssh'.*host-key"):
            rotate_keys(change, server, ["ssh"])
        assert not change.settle()


def test_a_host_that_only_speaks_tls_gets_no_cookie_key(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        change.set_secrets(server.host, make_host_secrets(["TLS"], change.rng).secrets)
        assert rotate_keys(change, server, ["meek"]) == ["meek_obfuscation_key"]
        assert server.host.meek_cookie_public_key == ""
