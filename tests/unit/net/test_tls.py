"""TLS over streams in memory: with a real peer, cut anywhere, ended properly and improperly."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.certificates import Authority

from headrace.base.errors import NetworkError, OperatorError, RemoteProtocolError
from headrace.documents.client_config import read_client_config
from headrace.net.streams import ByteStream
from headrace.net.tls import TlsStream, Trust

NAME = "list.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Peer(ByteStream):
    """A stream to a TLS server in memory: what is written is answered at once, by its `answer`."""

    def __init__(self, context: ssl.SSLContext, answer: Callable[[bytes], bytes] = lambda data: data) -> None:
        super().__init__()
        self.asked_for: str | None = ""
        context.sni_callback = self._note
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._answer = answer
        self._established = False
        self.closed = False
        self.ended = False  #: the client said goodbye in TLS
        self.cut_after: int | None = None  #: bytes that still arrive, then FIN
        self.stuck = False

    def _note(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        self.asked_for = name

    async def write(self, data: bytes) -> None:
        if self.closed:
            raise NetworkError("closed")
        if self.stuck:
            await asyncio.Event().wait()
        self._in.write(data)
        try:
            if not self._established:
                self.tls.do_handshake()
                self._established = True
            while (text := self.tls.read(65_536)) != b"":
                self.tls.write(self._answer(text))
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError:
            self._finish()
        self.send()

    def send(self) -> None:
        """Let what the server has written arrive."""
        data = self._out.read()
        if self.cut_after is not None:
            data = data[: self.cut_after]
            self.cut_after -= len(data)
        if data:
            self._arrived(data)
        if self.cut_after == 0:
            self._finish()

    def write_eof(self) -> None:
        raise AssertionError("TLS does not half-close")

    def close(self) -> None:
        self.closed = True

    def _hold(self) -> None: ...

    def _release(self) -> None: ...


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    certificate = authority.certify(NAME, "192.0.2.1")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate.chain, certificate.key)
    made.set_alpn_protocols(["h2", "http/1.1"])
    return made


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def both_versions(request: pytest.FixtureRequest, context: ssl.SSLContext) -> ssl.SSLContext:
    context.maximum_version = request.param
    return context


@pytest.fixture
def trust(authority: Authority) -> Trust:
    return Trust(authority.file, system=False)


async def test_bytes_pass_both_ways(both_versions: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(both_versions)
    stream = await TlsStream.start(peer, trust.context(), NAME)
    assert peer.asked_for == NAME
    assert peer.tls.selected_alpn_protocol() == "http/1.1"
    await stream.write(b"hello")
    assert [await stream.read(2), await stream.read()] == [b"he", b"llo"]
    data = bytes(range(256)) * 4000
    await stream.write(data)
    received = b""
    while len(received) < len(data):
        received += await stream.read()
    assert received == data


async def test_two_may_write_at_once(both_versions: ssl.SSLContext, trust: Trust) -> None:
    stream = await TlsStream.start(Peer(both_versions), trust.context(), NAME)
    async with asyncio.TaskGroup() as group:
        for letter in b"ab":
            group.create_task(stream.write(bytes((letter,)) * 100_000))
    received = b""
    while len(received) < 200_000:
        received += await stream.read()
    assert received in (b"a" * 100_000 + b"b" * 100_000, b"b" * 100_000 + b"a" * 100_000)


async def test_quiet_is_open_with_nothing_unread(both_versions: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(both_versions)
    stream = await TlsStream.start(peer, trust.context(), NAME)
    await stream.write(b"hello")
    assert not stream.quiet
    await stream.read(2)
    assert not stream.quiet
    await stream.read()
    assert stream.quiet
    peer._finish()
    assert not stream.quiet


async def test_a_proper_end(both_versions: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(both_versions)
    stream = await TlsStream.start(peer, trust.context(), NAME)
    await stream.write(b"hello")
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    peer.send()
    assert [await stream.read(), await stream.read(), await stream.read()] == [b"hello", b"", b""]


async def test_an_end_of_the_connection_alone_is_a_cut(both_versions: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(both_versions)
    stream = await TlsStream.start(peer, trust.context(), NAME)
    await stream.write(b"hello")
    peer._finish()
    assert await stream.read() == b"hello"
    with pytest.raises(NetworkError, match="cut short"):
        await stream.read()


async def test_a_handshake_cut_anywhere(context: ssl.SSLContext, trust: Trust) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where the handshake ends with the server's word
    whole = Peer(context)
    whole.cut_after = 1 << 20
    await TlsStream.start(whole, trust.context(), NAME)
    size = (1 << 20) - whole.cut_after
    for cut in range(size - 8):  # signatures are not always of one length
        peer = Peer(context)
        peer.cut_after = cut
        if cut == 0:
            peer._finish()
        with pytest.raises(NetworkError, match="cut short"):
            await TlsStream.start(peer, trust.context(), NAME)
        assert peer.closed


async def test_a_record_cut_anywhere(context: ssl.SSLContext, trust: Trust) -> None:
    for cut in range(5 + 16 + 1 + 5):
        peer = Peer(context)
        stream = await TlsStream.start(peer, trust.context(), NAME)
        await stream.write(b"a")
        assert await stream.read() == b"a"
        peer.cut_after = cut
        await stream.write(b"hello")
        if cut == 0:
            peer._finish()
        if cut == 5 + 16 + 1 + 5:
            assert await stream.read() == b"hello"
        with pytest.raises(NetworkError, match="cut short"):
            await stream.read()


async def test_a_record_that_was_changed_on_the_way(both_versions: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(both_versions)
    stream = await TlsStream.start(peer, trust.context(), NAME)
    peer.tls.write(b"hello")
    record = bytearray(peer._out.read())
    record[-1] ^= 1
    peer._arrived(bytes(record))
    with pytest.raises(RemoteProtocolError, match="TLS failed: "):
        await stream.read()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", bytes(99)])
async def test_a_peer_that_speaks_something_else(
    answer: bytes, context: ssl.SSLContext, trust: Trust
) -> None:
    peer = Peer(context)
    peer._arrived(answer)
    with pytest.raises(RemoteProtocolError, match="TLS failed: "):
        await TlsStream.start(peer, trust.context(), NAME)
    assert peer.closed


async def test_leaving_says_goodbye(both_versions: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(both_versions)
    stream = await TlsStream.start(peer, trust.context(), NAME)
    await stream.finish()
    assert peer.ended
    assert peer.closed


async def test_closing_says_nothing(context: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(context)
    stream = await TlsStream.start(peer, trust.context(), NAME)
    stream.write_eof()
    stream.close()
    assert peer.closed
    assert not peer.ended
    with pytest.raises(NetworkError):
        await stream.write(b"x")


async def test_nothing_can_be_said_after_the_goodbye(both_versions: ssl.SSLContext, trust: Trust) -> None:
    stream = await TlsStream.start(Peer(both_versions), trust.context(), NAME)
    await stream.finish()
    with pytest.raises(RemoteProtocolError, match="TLS failed: "):
        await stream.write(b"x")


@pytest.mark.parametrize("days", [-30, 30])
async def test_a_certificate_of_another_time(authority: Authority, trust: Trust, days: int) -> None:
    certificate = authority.certify(NAME, now=datetime.now(UTC) + timedelta(days=days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    text = await refused(trust, context)
    assert text.startswith("the server's certificate is not trusted: certificate ")
    assert "TrustedCACertificatesFilename" not in text


@pytest.mark.virtual_time
async def test_leaving_does_not_wait_for_a_peer_that_takes_nothing(
    context: ssl.SSLContext, trust: Trust
) -> None:
    peer = Peer(context)
    stream = await TlsStream.start(peer, trust.context(), NAME)
    peer.stuck = True
    await stream.finish()
    assert peer.closed
    assert asyncio.get_running_loop().time() < 5


@pytest.mark.virtual_time
async def test_a_handshake_that_is_called_off_closes(context: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(context)
    peer.stuck = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await TlsStream.start(peer, trust.context(), NAME)
    assert peer.closed


# ---- trust ------------------------------------------------------------------------------------------------


async def refused(trust: Trust, context: ssl.SSLContext, name: str = NAME) -> str:
    peer = Peer(context)
    with pytest.raises(NetworkError) as caught:
        await TlsStream.start(peer, trust.context(), name)
    assert peer.closed
    return str(caught.value)


@pytest.mark.parametrize("name", ["other.example", "192.0.2.2"])
async def test_a_certificate_for_another_name(context: ssl.SSLContext, trust: Trust, name: str) -> None:
    text = await refused(trust, context, name)
    assert text == "the server's certificate is for another name"  # and does not say which


@pytest.mark.parametrize("name", ["", ".example", "a..b", 64 * "a"])
async def test_a_name_that_no_host_has(context: ssl.SSLContext, trust: Trust, name: str) -> None:
    assert await refused(trust, context, name) == "no host has such a name"


async def test_an_address_may_be_certified(context: ssl.SSLContext, trust: Trust) -> None:
    peer = Peer(context)
    await TlsStream.start(peer, trust.context(), "192.0.2.1")
    assert peer.asked_for is None  # there is no SNI for addresses (RFC 6066 §3)


async def test_an_authority_nobody_knows(context: ssl.SSLContext, tmp_path: Path) -> None:
    text = await refused(Trust(Authority(tmp_path).file, system=False), context)
    assert "not trusted" in text
    assert "TrustedCACertificatesFilename" in text
    assert NAME not in text
    assert "not trusted" in await refused(Trust(), context)


@pytest.mark.parametrize("verify", [True, False])
async def test_nothing_is_verified_where_that_is_asked_for(context: ssl.SSLContext, verify: bool) -> None:
    trust = Trust(system=False) if verify else Trust()
    peer = Peer(context)
    await TlsStream.start(peer, trust.context(verify), "other.example")
    assert peer.asked_for == "other.example"  # SNI is sent all the same


async def test_a_file_is_trusted_besides_the_system(authority: Authority, context: ssl.SSLContext) -> None:
    trust = Trust(authority.file)
    await TlsStream.start(Peer(context), trust.context(), NAME)
    own = len(Trust(authority.file, system=False).context().get_ca_certs())
    assert own == 1


def test_contexts_are_made_once() -> None:
    trust = Trust()
    assert [trust.slow(True), trust.slow(False)] == [True, False]
    assert trust.context() is trust.context(True)
    assert trust.context(False) is not trust.context()
    assert not trust.slow(True)
    assert not Trust(system=False).slow(True)


def test_a_file_that_is_of_no_use(tmp_path: Path) -> None:
    file = tmp_path / "secret-place.pem"
    for text, problem in (("", "holds no certificates"), ("garbage", "holds no certificates")):
        file.write_text(text)
        with pytest.raises(OperatorError, match=problem) as caught:
            Trust(file).context()
        assert "secret-place" not in str(caught.value)
    file.unlink()
    with pytest.raises(OperatorError, match="cannot be read: No such file"):
        Trust(file).context()
    Trust(file).context(verify=False)


@pytest.mark.parametrize("system", [True, False])
@pytest.mark.parametrize("own", [True, False])
async def test_trust_from_a_configuration(
    system: bool, own: bool, authority: Authority, context: ssl.SSLContext
) -> None:
    config = read_client_config(
        b'{"PropagationChannelId": "F", "SponsorId": "F"}',
        overrides={
            "DisableSystemRootCAs": not system,
            "TrustedCACertificatesFilename": str(authority.file) if own else "",
        },
    )
    trust = Trust.from_config(config)
    assert trust.slow(True) == system
    if own or not system:
        await TlsStream.start(Peer(context), trust.context(), NAME)
    else:
        assert "not trusted" in await refused(trust, context)
