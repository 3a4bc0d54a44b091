"""Running a command in this process, and entries to run it on."""

from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.root import headrace
from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import encode_fields
from headrace.documents.entry_signature import sign_entry

__all__ = ["KEY", "Outcome", "entry", "run", "signed"]

KEY = SigningKey(bytes(range(32)))


@dataclass(frozen=True)
class Outcome:
    """What a person would see: the exit code, both streams, and the complaint that ended the command."""

    code: int
    out: str
    err: str
    complaint: str = ""

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def run(*arguments: object, input: str | bytes | None = None) -> Outcome:
    result = CliRunner().invoke(headrace, [*map(str, arguments)], input=input)
    error = result.exception
    if isinstance(error, OperatorError):
        return Outcome(error.exit_code, result.stdout, result.stderr, str(error))
    if isinstance(error, DocumentError):
        return Outcome(2, result.stdout, result.stderr, str(error))
    if error is not None and not isinstance(error, SystemExit):
        raise error
    return Outcome(result.exit_code, result.stdout, result.stderr)


def entry(number: int = 1, **more: Any) -> str:
    """Return the line of a server at 192.0.2.`number`."""
    return encode_fields(fields(number, **more))


def signed(number: int = 1, **more: Any) -> str:
    return encode_fields(sign_entry(fields(number, **more), KEY))


def fields(number: int, **more: Any) -> dict[str, object]:
    return {
        "ipAddress": f"192.0.2.{number}",
        "webServerSecret": f"{number:02x}" * 32,
        "sshPort": 22,
        "sshObfuscatedPort": 443,
        "sshObfuscatedKey": "5ec7e7" * 10,
        "sshPassword": "a55a" * 16,
        "capabilities": ["ssh-api-requests", "OSSH", "SSH"],
        "region": "CH",
        "configurationVersion": 1,
    } | more
