"""NTLM, as proxies in Windows domains want it: three messages on one connection (MS-NLMP, MS-NTHT).

    CONNECT  NTLM negotiate     ──►
                                ◄──  407  NTLM challenge
    CONNECT  NTLM authenticate  ──►

The library `pyspnego` computes them, NTLMv2 only, and draws what is random in them itself. It is loaded here
when the first proxy asks for NTLM.
"""

import base64
import binascii
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from headrace.base.rng import Rng
from headrace.codec.http_challenges import Challenge
from headrace.codec.http_login_way import Identity, Impossible, Way

if TYPE_CHECKING:
    import spnego

__all__ = ["Ntlm"]

#: What the library reads from the environment. This machine's name is none of the proxy's business: it gets
#: the one that curl gives everybody. And no setting made for other programs may bring NTLMv1 back.
_SETTINGS: Final = {"NETBIOS_COMPUTER_NAME": "WORKSTATION", "LM_COMPAT_LEVEL": "3"}


class Ntlm(Way):
    """Answers the challenge; a Windows domain stands before the user name, as in `CORP\\ann`."""

    def __init__(self, identity: Identity, rng: Rng) -> None:
        self._identity = identity
        self._context: spnego.ContextProxy | None = None
        self._message = b""
        self._final = False

    def challenged(self, offers: Sequence[Challenge], closing: bool) -> bool:
        if self._final:
            return False
        if not self._message:
            self._begin()
            return True
        data = next((offer.data for offer in offers if offer.data), "")
        if not data or closing:  # on another connection it would be the answer to nothing
            raise Impossible
        try:
            self._message = self._step(base64.b64decode(data, validate=True))
        except binascii.Error:
            raise Impossible from None
        self._final = True
        return True

    def authorization(self, target: str) -> str:
        return f"NTLM {base64.b64encode(self._message).decode()}"

    def reconnected(self) -> None:
        self._begin()

    def _begin(self) -> None:
        """Write the first message of a connection."""
        # At its chattiest it would log the messages, which tell the user name.
        logging.getLogger("spnego").setLevel(logging.WARNING)
        try:
            import spnego
        except ImportError:
            raise Impossible from None
        identity = self._identity
        with _careful():
            self._context = spnego.client(
                identity.user,
                identity.password,
                hostname=identity.proxy,
                service="HTTP",
                protocol="ntlm",
                options=spnego.NegotiateOptions.use_ntlm,
            )
        self._final = False
        self._message = self._step(None)

    def _step(self, message: bytes | None) -> bytes:
        assert self._context is not None
        with _careful():
            answer = self._context.step(message)
        assert answer is not None
        return answer


@contextmanager
def _careful() -> Iterator[None]:
    """Have the environment be as it should while the library looks at it. Raises Impossible if it fails."""
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update(_SETTINGS)
    try:
        yield
    except Exception as error:  # its parsers were not written for strangers, and raise anything
        raise Impossible from error
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
