"""Block lists: any file is a list, or is refused with a DocumentError that names it and the line."""

import io
import ipaddress

from headrace.base.errors import DocumentError
from headrace.documents.blocklist import read_blocklist

_ADDRESS = ipaddress.ip_address("192.0.2.7")

SEEDS = [b'# list\n192.0.2.7,feed,botnet\n"Malware.example.",feed,"a ""b"""\n2001:db8::7,feed,botnet\n']


def fuzz(data: bytes) -> None:
    """`data` is the file."""
    lines = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", errors="replace", newline="")
    try:
        blocklist = read_blocklist(lines, "fuzzed.csv")
    except DocumentError as error:
        assert str(error).startswith("fuzzed.csv: line ")
        return
    assert len(blocklist.address(_ADDRESS)) <= len(blocklist)
    assert len(blocklist.name("malware.example")) <= len(blocklist)
