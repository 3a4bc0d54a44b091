"""Server entries that can be dialled, as far as an entry tells."""

import base64

from headrace.documents.server_entry import ServerEntry

__all__ = ["entry"]


def entry(number: int, **fields: object) -> ServerEntry:
    """Return an entry that can be dialled; fields that are None are left out."""
    whole = {
        "tag": f"tag {number}",
        "ipAddress": f"192.0.2.{number}",
        "sshPort": 22,
        "sshObfuscatedPort": 53,
        "sshObfuscatedKey": "keyword",
        "sshHostKey": base64.b64encode(b"a host key").decode(),
        "capabilities": ["SSH", "OSSH"],
        **fields,
    }
    return ServerEntry.from_fields({name: value for name, value in whole.items() if value is not None})
