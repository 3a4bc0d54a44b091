"""Which keys a network has, and what holds for each (operations spec §1.5).

Keys of one host, and those by which stores and operating systems know a program, are no keys of the network.
"""

import enum
from dataclasses import dataclass
from typing import Final

from headrace.base.errors import OperatorError

__all__ = ["KINDS", "Form", "KeyKind", "OnServers", "Purpose", "kind_of"]


class Purpose(enum.StrEnum):
    """What a key is for, as it is written in the model and in files."""

    LISTS = "list-signing"
    UPGRADES = "upgrade-signing"
    ROUTES = "routes-signing"
    FEEDBACK = "feedback-encryption"
    ENTRIES = "entry-signing"
    EXCHANGE = "exchange-obfuscation"
    DISCOVERY = "discovery-hmac"
    OSL = "osl-master"


class Form(enum.Enum):
    """What a key is made of."""

    RSA = "RSA of 4096 bits, exponent 65537"
    ED25519 = "Ed25519"
    RANDOM = "32 random bytes"


class OnServers(enum.Enum):
    """Which half of a key every server has."""

    NOTHING = "nothing"
    PUBLIC = "the public half"
    SECRET = "the secret"  # noqa: S105 (it is said which, not what)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyKind:
    """What holds for all keys of a purpose."""

    purpose: Purpose
    title: str  #: for people
    form: Form
    holder: str  #: who has the private half, for people
    client_field: str = ""  #: where a client's configuration has the public half; "": it is not in there
    in_builds: bool = True  #: every client build is told the public half
    on_servers: OnServers = OnServers.NOTHING
    may_be_offline: bool = False  #: the management can do its work without having the private half
    may_overlap: bool = True  #: two may be active at once, so that one can take over from the other
    is_named: bool = False  #: one for each name, and not one for the network

    @property
    def signs(self) -> bool:
        """True when signatures are made with it."""
        return self.purpose in (Purpose.LISTS, Purpose.UPGRADES, Purpose.ROUTES, Purpose.ENTRIES)

    @property
    def is_secret(self) -> bool:
        """True when it has no half that may be told to anybody outside."""
        return self.form is Form.RANDOM and not self.in_builds


KINDS: Final[dict[Purpose, KeyKind]] = {
    kind.purpose: kind
    for kind in (
        KeyKind(
            purpose=Purpose.LISTS,
            title="signing of server lists and obfuscated lists",
            form=Form.RSA,
            holder="the management, which publishes lists",
            client_field="RemoteServerListSignaturePublicKey",
            may_be_offline=True,
        ),
        KeyKind(
            purpose=Purpose.UPGRADES,
            title="signing of upgrade packages",
            form=Form.RSA,
            holder="the build and signing step only",
            may_be_offline=True,
        ),
        KeyKind(
            purpose=Purpose.ROUTES,
            title="signing of routes",
            form=Form.RSA,
            holder="the publisher of routes",
            may_be_offline=True,
        ),
        KeyKind(
            purpose=Purpose.FEEDBACK,
            title="encryption of feedback",
            form=Form.RSA,
            holder="the feedback decryptor only",
            client_field="FeedbackEncryptionPublicKey",
            may_be_offline=True,
        ),
        KeyKind(
            purpose=Purpose.ENTRIES,
            title="signing of server entries",
            form=Form.ED25519,
            holder="the management only",
            client_field="ServerEntrySignaturePublicKey",
            on_servers=OnServers.PUBLIC,
            may_be_offline=True,
        ),
        KeyKind(
            purpose=Purpose.EXCHANGE,
            title="obfuscation of entries that users exchange",
            form=Form.RANDOM,
            holder="the management, and every client: it hides, it does not authenticate",
            client_field="ExchangeObfuscationKey",
        ),
        KeyKind(
            purpose=Purpose.DISCOVERY,
            title="choice of the servers that a client discovers",
            form=Form.RANDOM,
            holder="the management and every server",
            in_builds=False,
            on_servers=OnServers.SECRET,
            may_overlap=False,
        ),
        KeyKind(
            purpose=Purpose.OSL,
            title="seeding of obfuscated lists",
            form=Form.RANDOM,
            holder="the management and every server",
            in_builds=False,
            on_servers=OnServers.SECRET,
            may_overlap=False,
            is_named=True,
        ),
    )
}


def kind_of(purpose: str) -> KeyKind:
    """Return what holds for a purpose, written as in the model. Raises OperatorError for an unknown one."""
    try:
        return KINDS[Purpose(purpose)]
    except ValueError:
        known = ", ".join(Purpose)
        raise OperatorError(f"there are no keys for {purpose!r}; what keys are for: {known}") from None
