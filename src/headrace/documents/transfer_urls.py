"""Where a document is to be had or to be put: several URLs for one thing (server lists spec §3.1).

    [{"URL": <base64>, "SkipVerify": false, "OnlyAfterAttempts": 0, …}, …]

URLs are in base64 only so that they do not stand in plain sight in a file. Each attempt chooses afresh among
those whose turn has come; the first one that may be used at once names the thing, whichever URL served it.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence

import msgspec

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.documents.config_reader import convert_config, fold_deep

__all__ = ["TransferURL", "TransferURLs"]


class TransferURL(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One of the URLs, as configured."""

    encoded_url: str = msgspec.field(default="", name="URL")
    skip_verify: bool = False  # the TLS certificate need not be valid: what comes is signed
    only_after_attempts: int = 0
    public_key: str = msgspec.field(default="", name="B64EncodedPublicKey")  # RSA; seals what is uploaded
    request_headers: dict[str, str] = {}
    fronting_specs: list[dict[str, object]] = []

    @property
    def url(self) -> str:
        """The URL itself. Raises DocumentError, which does not repeat it."""
        try:
            return base64.b64decode(self.encoded_url, validate=True).decode()
        except (binascii.Error, ValueError):
            raise DocumentError("URL is not a text in base64") from None


class TransferURLs:
    """A checked list; each of its URLs can be decoded, and one at least can be used at once."""

    def __init__(self, items: Sequence[TransferURL], name: str = "transfer URLs") -> None:
        """Take the items of the setting called `name`. Raises DocumentError."""
        for number, item in enumerate(items):
            try:
                _ = item.url
            except DocumentError as error:
                raise DocumentError(f"{name}[{number}]: {error}") from error
        if all(item.only_after_attempts for item in items):
            raise DocumentError(f"{name}: no URL may be used at once: give one an OnlyAfterAttempts of 0")
        self._items = tuple(items)
        self._name = name

    @classmethod
    def from_fields(cls, value: object, name: str = "transfer URLs") -> "TransferURLs":
        """Read the list as JSON has it. Raises DocumentError naming the setting and the field."""
        known, _ = fold_deep(value, list[TransferURL])
        return cls(convert_config(known, list[TransferURL], name), name)

    @classmethod
    def single(cls, url: str) -> "TransferURLs":
        """Return a list of one plain URL, as older settings have it."""
        return cls([TransferURL(encoded_url=base64.b64encode(url.encode()).decode())])

    @property
    def canonical_url(self) -> str:
        """The URL under which what all of them serve is known: the key of its ETag."""
        return next(item.url for item in self if not item.only_after_attempts)

    def eligible(self, attempt: int) -> list[TransferURL]:
        """Return the items whose turn has come at `attempt`, counted from 0."""
        return [item for item in self if attempt >= item.only_after_attempts]

    def select(self, attempt: int, rng: Rng) -> TransferURL:
        """Return the item to use at `attempt`, any eligible one with the same probability.

        Domain fronting is not spoken here, and asking such an item's host directly would show what the front
        was to hide. So those items are passed over; when no other is eligible yet, the direct ones that would
        come first have their turn early. Raises DocumentError when there is no direct item at all.
        """
        direct = [item for item in self if not item.fronting_specs]
        if not direct:
            raise DocumentError(f"{self._name}: every URL asks for domain fronting: add a direct one")
        first_turn = min(item.only_after_attempts for item in direct)
        return rng.choice([item for item in direct if item.only_after_attempts <= max(attempt, first_turn)])

    def __iter__(self) -> Iterator[TransferURL]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
