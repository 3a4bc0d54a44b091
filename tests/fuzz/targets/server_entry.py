"""Server entries: any line decodes to fields that encode stably, or raises DocumentError."""

from headrace.base.errors import DocumentError
from headrace.documents.entry_fields import decode_fields, encode_fields, entry_tag, validate_fields
from headrace.documents.server_entry import ServerEntry

SEEDS = [
    (
        b'0 0 0 0 {"ipAddress":"192.0.2.1","sshPort":22,"capabilities":["SSH","OSSH","QUICv1"],"tag":"dGFn",'
        b'"localSource":"EMBEDDED","localTimestamp":"2024-01-02T03:00:00Z","configurationVersion":2}'
    ),
]


def fuzz(data: bytes) -> None:
    """`data` is the plaintext of a line, and the line itself."""
    for line in (data.hex(), data.decode("latin-1")):
        try:
            fields = decode_fields(line)
        except DocumentError:
            continue
        encoded = encode_fields(fields)
        assert encode_fields(decode_fields(encoded)) == encoded
        entry_tag(fields)
        try:
            entry = ServerEntry.from_fields(fields)
            entry.supported_protocols()
            validate_fields(fields)
        except DocumentError:
            continue
