"""Replay records: any bytes are a record that a dial can be made from, or refused with a DocumentError."""

import base64

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.establishment.replay_record import ReplayRecord

ENTRY = ServerEntry.from_fields(
    {
        "ipAddress": "192.0.2.1",
        "sshObfuscatedPort": 53,
        "sshObfuscatedKey": "keyword",
        "sshHostKey": base64.b64encode(b"host key").decode(),
    }
)
FRESH = choose(ENTRY, "OSSH", SeededRng(1))
SEEDS = [
    ReplayRecord.of(FRESH, "state", 1_700_000_000.5).encode(),
    b'{"version":1,"protocol":"OSSH","identification":"SSH-2.0-OpenSSH_9.6","padding":40,"seed":"'
    + base64.b64encode(bytes(32))
    + b'","prefix":{"name":"get","data":"R0VUIC8=","split_delay":0.5},"latency_multiplier":1.5,'
    b'"liveness":{"u":5,"d":6},"config_state":"a","entry_state":"b","last_used":0}',
]


def fuzz(data: bytes) -> None:
    """`data` is the record."""
    try:
        record = ReplayRecord.decode(data)
    except DocumentError:
        return
    assert ReplayRecord.decode(record.encode()) == record
    attempt = record.apply(FRESH)
    assert attempt.is_replay and 0 <= attempt.padding <= 8192
    attempt.shape().between(0, 255)
