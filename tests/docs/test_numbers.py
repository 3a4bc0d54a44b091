"""Numbers in the documents are those of the code: each phrase is made from constants and must stand there."""

import re

import pytest
from tests.docs.documents import documents

from headrace.client import http_origins, http_proxy, local_connection, tunnel
from headrace.client.operate_settings import OperateSettings
from headrace.codec import http_head, request_watch, udpgw
from headrace.crypto import shamir
from headrace.discovery import extract
from headrace.documents import server_list, signed_package
from headrace.documents.osl import key_shares, registry
from headrace.documents.server_config import ServerConfig
from headrace.establishment.settings import EstablishmentSettings
from headrace.net import relay, resolve, tunnel_socket
from headrace.obfuscation import padding_lines, preamble, regex_syntax, seed_history
from headrace.server import api_parameters, check, front, patience, session, supervisor, worker, worker_slot
from headrace.ssh import auth, channel, clear, connection, liveness, protection, transport

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SETTINGS = EstablishmentSettings()
CONFIG = ServerConfig(server_ip_address="")
HANDSHAKE = "{:.0f}, {:.0f} or {:.0f}".format(*sorted(patience.REFERENCE))
GRACE = "{:.0f} to {:.0f}".format(*(60 * part for part in patience.GRACE))
QUEUE = CONFIG.ssh_begin_handshake_timeout_milliseconds // 1000

PHRASES = {
    "docs/protocol-ossh.md": [
        f"{preamble.MIN_CLIENT_PADDING} to {preamble.MAX_PADDING:,} random",
        f"{seed_history.SEED_LIFETIME // 86_400} days, {seed_history.SEED_CAPACITY:,} at most",
        f"{preamble.MIN_SERVER_PADDING} to {preamble.MAX_PADDING:,} bytes in all, uniform",
        f"lines of at most {padding_lines.MAX_LINE_SIZE} bytes",
        f"a line of {clear.MAX_LINE:,} bytes or more, and after {clear.MAX_LINES:,} bytes of lines",
        f"in the {preamble.MAX_SEARCH:,} bytes that follow",
        f"UTF-8, at most {preamble.MAX_NAME_SIZE:,} bytes",
        f"stop {regex_syntax.UNBOUNDED_EXTRA} repetitions after",
        f"6 to {clear.MAX_CLEAR_PACKET:,}; a protected one's up to {protection.MAX_PACKET:,}",
        f"{transport.REKEY_BYTES // GIB} GiB in one direction",
        f"at most {transport.MAX_HELD // MIB} MiB of small messages",
        f"| {HANDSHAKE}, or `SSHHandshakeTimeoutMilliseconds`",
        f"| {QUEUE}, `SSHBeginHandshakeTimeoutMilliseconds`",
        f"a tunnel from which no byte comes | {worker.SILENCE:.0f} |",
        f"client: until it is logged in | {tunnel.CONNECT_TIMEOUT:.0f} |",
        f"an API request | {tunnel.REQUEST_TIMEOUT:.0f} |",
        f"reads on for {tunnel_socket.FIN_GRACE:.0f} seconds",
        f"reads on for {GRACE} seconds",
        f"at most {api_parameters._MAX_PADDING:,})",
        f"{liveness.MAX_BYTES // MIB} MiB at most each",
        f"too many channels, {connection.MAX_CHANNELS:,} in one tunnel",
        f"start at {channel.INITIAL_WINDOW // KIB} KiB, double up to {channel.MAX_WINDOW // MIB} MiB",
        f"carries up to {channel.MAX_DATA // KIB} KiB",
        f"below {channel.MIN_LIMIT:,} bytes are a protocol error",
        f"up to {udpgw.MAX_DATAGRAM:,} bytes",
    ],
    "docs/server-lists.md": [
        f"longer than {server_list.MAX_LINE:,} characters",
        f"inflates to more than {signed_package.MAX_PACKAGE // MIB} MiB",
        f"Shares number {shamir.MAX_SHARES} at most",
        f"at most {registry.MAX_ITEM // MIB} MiB, and takes {registry.MAX_FILES:,} of them",
        f"up to {key_shares.MAX_LEVELS} levels of shares",
    ],
    "docs/how-it-works.md": [
        f"packets of {channel.MAX_DATA // KIB} KiB",
        f"as {tunnel_socket.FLUSH_AT // KIB} KiB are sealed",
        f"more than {relay.HIGH // KIB} KiB unwritten",
        f"above {tunnel_socket.HIGH // KIB} KiB and all channels",
        f"below {tunnel_socket.LOW // KIB} KiB they are resumed",
        f"stalled from the start | {channel.INITIAL_WINDOW // KIB} KiB",
        f"a tunnel may grow by | {channel.MAX_WINDOW // MIB} MiB",
        f"before its channel is held | {relay.HIGH // KIB} KiB",
        f"before its channels pause | {tunnel_socket.HIGH // KIB} KiB",
        f"before it is not read either | {tunnel_socket.STUCK // MIB} MiB",
        f"waiting for a key exchange | {transport.MAX_HELD // MIB} MiB",
        f"one SSH packet | {protection.MAX_PACKET // KIB} KiB",
        f"channels of one tunnel | {connection.MAX_CHANNELS:,}",
        f"before its forward is open | {local_connection.MAX_EARLY // KIB} KiB",
        f"head of an HTTP request | {http_head.MAX_HEAD // KIB} KiB",
        f"the resolver remembers | {resolve.MAX_KEPT:,}",
        f"seed history | {seed_history.SEED_CAPACITY:,} seeds",
    ],
    "docs/local-proxies.md": [
        f"up to {http_origins.MAX_KEPT_EACH} to each host for {http_origins.KEPT_FOR:.0f} seconds",
        f"complete after {http_proxy.HEAD_TIMEOUT:.0f} seconds",
        f"no connection after {local_connection.OPEN_TIMEOUT:.0f} seconds",
        f"or no answer after {http_origins.RESPONSE_TIMEOUT:.0f} |",
    ],
    "docs/configuration.md": [
        f"| {SETTINGS.give_up:.0f} | give up",
        f"attempts at once; 0 is {SETTINGS.workers}",
    ],
    "docs/operating.md": [
        f"a connection for {HANDSHAKE} seconds",
        f"A reader that stalls parks {channel.INITIAL_WINDOW // KIB} KiB",
        f"all readers of a tunnel together {channel.MAX_WINDOW // MIB} MiB more",
        f"when {request_watch.MAX_BEHIND // KIB} KiB have come behind its head",
        f"within {request_watch.MAX_BEHIND // KIB} KiB of the head",
        f"a head of more than {request_watch.MAX_HEAD // KIB} KiB",
        "after {:.0f}, {:.0f} or {:.0f} seconds".format(
            *sorted(session.FRONT_WAIT * limit for limit in patience.REFERENCE)
        ),
        f"happened for {front.IDLE:.0f} seconds",
    ],
}

#: Numbers that are written as words.
WORDS = {
    "docs/protocol-ossh.md": {"Six attempts": auth.MAX_ATTEMPTS == 6},
    "docs/how-it-works.md": {
        "up to ten attempts at once": SETTINGS.workers == 10,
        "two seconds": SETTINGS.pause == 2.0,
        "after a minute": SETTINGS.work_time == 60.0,
        "every five seconds": worker.SWEEP == 5.0,
        "every one or two minutes": OperateSettings().keepalive_period == (60, 120),
        "for ten seconds": OperateSettings().keepalive_idle == 10.0,
    },
    "docs/operating.md": {
        "ever later, up to a minute": supervisor.LAST_DELAY == 60.0,
        "every few seconds how it is": worker_slot.PULSE == 5.0,
        "no answer for half a minute": worker_slot.PATIENCE == 30.0,
        "more than a day old": check.PSINET_FRESH == 86_400.0,
        "before the day after tomorrow": extract.HORIZON == 2 * 86_400,
        "a tenth of the time for a log-in": session.FRONT_WAIT == 0.1,
        "a sixteenth of its open files": worker.FRONT_SHARE == 16,
    },
    "docs/attacks.md": {
        "has five seconds": local_connection.NEGOTIATION_TIMEOUT == 5.0,
        "longer than a second": QUEUE == 1,
        "Six attempts": auth.MAX_ATTEMPTS == 6,
    },
}


def flowing(name: str) -> str:
    """Return a document without its line breaks and drawings' lines."""
    return re.sub(r"[\s│]+", " ", documents()[name])


@pytest.mark.parametrize("name", PHRASES)
def test_numbers(name: str) -> None:
    text = flowing(name)
    assert [phrase for phrase in PHRASES[name] if phrase not in text] == []


@pytest.mark.parametrize("name", WORDS)
def test_numbers_in_words(name: str) -> None:
    text = flowing(name)
    assert [phrase for phrase, true in WORDS[name].items() if not true or phrase not in text] == []
