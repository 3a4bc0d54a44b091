"""TLS inside any byte stream: a socket, a channel through the tunnel, what an upstream proxy connected.

OpenSSL works on two buffers in memory here and never sees a socket. A peer that ends the stream without
saying so in TLS may have been cut off by somebody else: that is an error, not an end.
"""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from headrace.base.errors import NetworkError, OperatorError, RemoteProtocolError
from headrace.documents.client_config import ClientConfig
from headrace.net.streams import ByteStream

__all__ = ["TlsStream", "Trust"]

#: Most bytes taken out of TLS at once; a record has no more than 16 KiB.
READ: Final = 64 * 1024
#: Seconds to get rid of our goodbye.
LAST_WORDS: Final = 1.0
#: X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH, whose texts would name the host.
_ANOTHER_NAME: Final = frozenset((62, 64))
#: X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT and its like: nobody we trust has signed it.
_UNKNOWN_ISSUER: Final = frozenset((2, 18, 19, 20, 21))


class Trust:
    """Which certificate authorities are trusted; contexts are made when first asked for, then kept.

    With neither a file nor the system's authorities there is nothing to verify against, and nothing is
    verified: what is fetched is signed by itself, and deployed configurations rely on it.
    """

    def __init__(self, ca_file: Path | None = None, *, system: bool = True) -> None:
        self._ca_file = ca_file
        self._system = system
        self._contexts: dict[bool, ssl.SSLContext] = {}

    @classmethod
    def from_config(cls, config: ClientConfig) -> Self:
        """Return what a configuration asks for."""
        name = config.trusted_ca_certificates_filename
        return cls(Path(name) if name else None, system=not config.disable_system_root_cas)

    @property
    def verifies(self) -> bool:
        """Whether there is anything to verify certificates against."""
        return self._system or self._ca_file is not None

    def slow(self, verify: bool) -> bool:
        """Whether `context` will take tens of milliseconds: it has all the system's authorities to read."""
        return verify and self._system and verify not in self._contexts

    def context(self, verify: bool = True) -> ssl.SSLContext:
        """Return a context for connections to servers. Raises OperatorError if the file is of no use."""
        context = self._contexts.get(verify)
        if context is None:
            context = self._contexts[verify] = self._make(verify)
        return context

    def _make(self, verify: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        if not (verify and self.verifies):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self._system:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if self._ca_file is not None:
            try:
                context.load_verify_locations(self._ca_file)
            except ssl.SSLError as error:
                raise OperatorError(
                    "TrustedCACertificatesFilename: the file holds no certificates: it must be PEM"
                ) from error
            except OSError as error:
                raise OperatorError(
                    f"TrustedCACertificatesFilename: the file cannot be read: {error.strerror}"
                ) from error
        return context


class TlsStream(ByteStream):
    """The client's side of TLS over another stream. `start` makes one."""

    def __init__(self, inner: ByteStream, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__()
        self._inner = inner
        self._arriving, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arriving, self._leaving, server_hostname=server_name)
        self._sending = asyncio.Lock()

    @classmethod
    async def start(cls, inner: ByteStream, context: ssl.SSLContext, server_name: str) -> "TlsStream":
        """Shake hands over `inner`, which is closed if that fails.

        Raises NetworkError (the certificate, or a broken connection) or RemoteProtocolError; no text of
        theirs names the server.
        """
        try:
            try:
                stream = cls(inner, context, server_name)
            except ValueError as error:
                raise NetworkError("no host has such a name") from error
            await stream._shake_hands()
        except BaseException:
            inner.close()
            raise
        return stream

    async def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fetch()
            except ssl.SSLError as error:
                with suppress(NetworkError):
                    await self._flush()  # the alert that says why
                raise _explain(error) from error
            else:
                await self._flush()
                return

    async def read(self, most: int = READ) -> bytes:
        """Return what has arrived, b"" after a regular end; otherwise as ByteStream.read."""
        while True:
            try:
                data = self._tls.read(min(most, READ))
            except ssl.SSLWantReadError:
                await self._flush()  # a change of keys wants an answer
                await self._fetch()
                continue
            except ssl.SSLError as error:
                raise _explain(error) from error
            if not data:
                self._ended = True
            return data

    async def write(self, data: bytes) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise _explain(error) from error
        await self._flush()

    def write_eof(self) -> None:
        """Nothing: HTTP never half-closes, and TLS before 1.3 cannot."""

    def close(self) -> None:
        """Close the connection without another word; `finish` says goodbye."""
        self._inner.close()

    async def finish(self) -> None:
        """Tell the peer that this is the end, if it takes that at once, and close."""
        try:
            with suppress(ssl.SSLError):
                self._tls.unwrap()
            with suppress(NetworkError, TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await self._flush()
        finally:
            self._inner.close()

    @property
    def ssl_object(self) -> ssl.SSLObject:
        """What was agreed with the peer."""
        return self._tls

    @property
    def quiet(self) -> bool:
        return super().quiet and self._inner.quiet and not (self._arriving.pending or self._tls.pending())

    async def _fetch(self) -> None:
        data = await self._inner.read(READ)
        if not data:
            raise NetworkError("the connection was cut short")
        self._arriving.write(data)

    async def _flush(self) -> None:
        async with self._sending:
            while data := self._leaving.read():
                await self._inner.write(data)

    def _hold(self) -> None:
        """The stream below holds itself: nothing is read ahead here."""

    def _release(self) -> None:
        """Nothing was held."""


def _explain(error: ssl.SSLError) -> NetworkError | RemoteProtocolError:
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or "no reason given").lower().replace("_", " ")
        return RemoteProtocolError(f"TLS failed: {reason}")
    if error.verify_code in _ANOTHER_NAME:
        return NetworkError("the server's certificate is for another name")
    text = f"the server's certificate is not trusted: {error.verify_message}"
    if error.verify_code in _UNKNOWN_ISSUER:
        text += ". Install the system's authorities, or name a file in TrustedCACertificatesFilename"
    return NetworkError(text)
