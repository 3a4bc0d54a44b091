"""Properties of what is said to upstream proxies: challenges there and back, names, headers, environments."""

import base64
import string

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import DocumentError, NetworkError
from headrace.base.rng import SeededRng
from headrace.codec.digest import Digest, _md5, response
from headrace.codec.host_names import authority
from headrace.codec.http_challenges import Challenge, parse_challenges, quote
from headrace.codec.http_connect import HttpConnect
from headrace.codec.http_login_way import Identity
from headrace.codec.negotiation import Send
from headrace.documents.custom_headers import read_custom_headers
from headrace.documents.proxy_environment import proxy_from_environment
from headrace.documents.upstream_proxy_url import ProxyURL

words = st.text(string.ascii_lowercase + string.digits + "-_.", min_size=1, max_size=12)
values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=30
)
data = st.binary(min_size=1, max_size=30).map(lambda raw: base64.b64encode(raw).decode())
challenges = st.builds(Challenge, words, data, st.just({})) | st.builds(
    Challenge, words, st.just(""), st.dictionaries(words, values, max_size=5)
)
hosts = st.sampled_from(["list.example", "192.0.2.7", "2001:db8::7", "bücher.example"]) | st.text(max_size=40)


@given(st.lists(challenges, max_size=8), st.booleans())
def test_challenges_there_and_back(offered: list[Challenge], together: bool) -> None:
    headers = [
        " ".join(
            filter(
                None,
                (offer.scheme, offer.data, ",".join(f"{k}={quote(v)}" for k, v in offer.parameters.items())),
            )
        )
        for offer in offered
    ]
    assert parse_challenges([", ".join(headers)] if together else headers) == offered


@given(st.lists(st.text(max_size=200), max_size=4))
def test_any_text_gives_challenges(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()
        assert all(name == name.lower() for name in challenge.parameters)


@given(values.filter(lambda user: ":" not in user), values, values, values, st.booleans())
def test_digest_says_what_it_proves(user: str, password: str, realm: str, nonce: str, qop: bool) -> None:
    way = Digest(Identity(user, password, "proxy.example"), SeededRng(1))
    parameters = {"realm": realm, "nonce": nonce, **({"qop": "auth"} if qop else {})}
    assert way.challenged([Challenge("digest", "", parameters)], closing=False)
    (answer,) = parse_challenges([way.authorization("a.example:80")])
    said = answer.parameters
    used = (said["nonce"], said["nc"], said["cnonce"], "auth") if qop else (said["nonce"],)
    secret = (said["username"], said["realm"], password)
    assert said["response"] == response(_md5, secret, (), used, ("CONNECT", said["uri"]))


@given(hosts, st.integers(1, 0xFFFF))
def test_whatever_the_host_the_request_is_one(host: str, port: int) -> None:
    """Nothing that is called a host reaches into the headers."""
    try:
        expected = authority(host, port)
        asked = HttpConnect(host, port, Identity("", "", "proxy.example"), SeededRng(1)).start()
    except NetworkError as error:
        assert str(error)
        return
    assert asked == f"CONNECT {expected} HTTP/1.1\r\nHost: {expected}\r\n\r\n".encode()


@given(st.dictionaries(st.text(max_size=12) | words, st.lists(st.text(max_size=20), max_size=3), max_size=4))
def test_headers_that_are_accepted_can_be_sent(fields: dict[str, list[str]]) -> None:
    try:
        headers = read_custom_headers(fields)
    except DocumentError:
        return
    try:
        client = HttpConnect("a.example", 80, Identity("ann", "x", "proxy.example"), SeededRng(1), headers)
    except UnicodeEncodeError:
        pytest.fail("a header cannot be written")
    server = h11.Connection(h11.SERVER)
    server.receive_data(client.start())
    head = server.next_event()
    assert isinstance(head, h11.Request)
    assert len(head.headers) == max(
        1, len(headers) + (not any(name.lower() == "host" for name, _ in headers))
    )
    (step,) = client.receive(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(step, Send)


@given(st.sampled_from(["https_proxy", "ALL_PROXY"]), st.text(max_size=40), st.sets(st.integers(1, 9999)))
def test_an_environment_names_a_usable_proxy_or_none(name: str, value: str, own: set[int]) -> None:
    try:
        found = proxy_from_environment({name: value}, own)
    except DocumentError as error:
        assert name in str(error)
        return
    if found:
        ProxyURL.parse(found)
