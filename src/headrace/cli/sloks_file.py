"""Keys of obfuscated lists in a file, as a server sends them: what a client has earned."""

import base64
import binascii
import json
from pathlib import Path

from headrace.base.errors import OperatorError
from headrace.cli.files import read_file

__all__ = ["read_sloks"]


def read_sloks(path: Path) -> dict[bytes, bytes]:
    """Return the keys by their IDs. Raises OperatorError.

    The file holds {"SLOKs": [{"ID": base64, "Key": base64}, ...]}, within "seed_payload" or not.
    """
    try:
        value = json.loads(read_file(path, "the file of keys"))
        if isinstance(value, dict):
            value = value.get("seed_payload", value)
            value = value["SLOKs"]
        return {_bytes(item["ID"]): _bytes(item["Key"]) for item in value}
    except (ValueError, KeyError, TypeError, RecursionError):
        form = '{"SLOKs": [{"ID": base64, "Key": base64}]}'
        raise OperatorError(f"{path} holds no keys of lists; write {form}") from None


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error
