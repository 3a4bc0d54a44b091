"""What is in a signed file: a common list, a registry of obfuscated lists, or one of those lists.

What is not signed is not looked into.
"""

import base64
import binascii
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from headrace.base.errors import DocumentError
from headrace.cli.entry_lines import check
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.documents.entry_fields import decode_fields
from headrace.documents.osl.key_shares import KeyShares, Known
from headrace.documents.osl.registry import read_registry
from headrace.documents.signed_package import open_package, read_package

__all__ = ["Report", "SignedFile", "examine", "open_signed"]

_MAX_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file with a good signature: whose, and the text that was signed."""

    key: PackageVerifyingKey
    chunks: Callable[[], Iterator[bytes]]
    lines: Callable[[], Iterator[str]]
    plain: bool = False  #: not compressed: clients that take it read it whole

    @property
    def is_registry(self) -> bool:
        """True for base64 of a JSON object, which no list of hexadecimal lines looks like."""
        return next(self.chunks(), b"").startswith(b"ey")

    def payload(self) -> bytes:
        """Return the lines of a list, or the JSON of a registry. Raises DocumentError if there is none."""
        text = b"".join(self.chunks())
        if self.is_registry:
            try:
                return base64.b64decode(text) + b"\n"
            except binascii.Error as error:
                raise DocumentError(f"registry is not base64: {error}") from error
        return text + b"\n" if text and not text.endswith(b"\n") else text


@dataclass(slots=True)
class Report:
    """What came out: figures, and what is wrong, of which the first few are kept."""

    kind: str
    figures: dict[str, int] = field(default_factory=dict)
    openable: list[str] | None = None  # IDs of lists in a registry
    problems: list[str] = field(default_factory=list)
    more_problems: int = 0

    def add_problem(self, text: str) -> None:
        """Keep a problem, or count it if there are many already."""
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(text)
        else:
            self.more_problems += 1


def open_signed(data: bytes, keys: Sequence[PackageVerifyingKey]) -> SignedFile:
    """Check the signature of a package, compressed or plain.

    Raises DocumentError, which says for each of the keys why it is not good.
    """
    failures = []
    for key in keys:
        try:
            return _open_with(key, data)
        except DocumentError as error:
            failures.append(str(error))
    raise DocumentError("; ".join(dict.fromkeys(failures)))


def _open_with(key: PackageVerifyingKey, data: bytes) -> SignedFile:
    if data.lstrip().startswith(b"{"):
        text = read_package(data, key, compressed=False)
        return SignedFile(key, lambda: iter([text.encode()]), lambda: iter(text.split("\n")), plain=True)
    reader = open_package(io.BytesIO(data), key)
    return SignedFile(key, reader.chunks, reader.lines)


def examine(file: SignedFile, known: Known | None, kind: str = "list") -> Report:
    """Return what is in a file. With `known` SLOKs, what can be opened with them is found out too."""
    report = Report("registry" if file.is_registry else kind)
    try:
        if file.is_registry:
            _examine_registry(file, known, report)
        else:
            _examine_list(file, report)
    except DocumentError as error:
        report.add_problem(str(error))
    return report


def _examine_list(file: SignedFile, report: Report) -> None:
    usable = unsigned = 0
    reached = True  # by clients
    for number, line in enumerate(file.lines(), start=1):
        if file.plain and not line:
            continue
        try:
            fields = decode_fields(line)
        except DocumentError as error:
            end = "take nothing of the list" if file.plain else "read no further"
            report.add_problem(f"line {number}: {error}; clients {end}")
            reached = False
            continue
        try:
            check(fields)
        except DocumentError as error:
            report.add_problem(f"line {number}: {error}; clients skip it")
            continue
        if reached:
            usable += 1
            unsigned += not fields.get("signature")
    if file.plain and not reached:
        usable = unsigned = 0
    report.figures = {"entries": usable, "unsigned": unsigned}


def _examine_registry(file: SignedFile, known: Known | None, report: Report) -> None:
    lists = sums = depth = 0
    report.openable = None if known is None else []
    for spec in read_registry(file.chunks()):
        lists += 1
        sums += spec.md5_sum is not None
        depth = max(depth, _depth(spec.key_shares))
        if known is not None and report.openable is not None and spec.unlockable(known):
            report.openable.append(spec.id.hex())
    report.figures = {"lists": lists, "withSum": sums, "depth": depth}


def _depth(shares: KeyShares) -> int:
    """Return the levels of secret sharing."""
    return 1 + max(map(_depth, shares.key_shares or ()), default=0)
