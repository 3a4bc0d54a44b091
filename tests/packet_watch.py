"""Prints, once each, where this machine's packets go, and what is asked of the trap in its resolv.conf.

sent wifi 192.0.2.10
asked page.example
"""

import ipaddress
import selectors
import socket

import dns.exception
import dns.message
from tests.namespaces import TRAP

_EVERYTHING = 0x0003  # ETH_P_ALL
_OUTGOING = 4  # PACKET_OUTGOING
#: Where an IP packet has its destination, by the type of the frame.
_DESTINATION = {0x0800: slice(16, 20), 0x86DD: slice(24, 40)}


def sent(sniffer: socket.socket) -> str:
    """Return what to say of the next packet, "" for none of ours."""
    packet, (link, frame, direction, *_) = sniffer.recvfrom(65535)
    if link == "lo" or direction != _OUTGOING or frame not in _DESTINATION:
        return ""
    return f"sent {link} {ipaddress.ip_address(packet[_DESTINATION[frame]])}"


def asked(trap: socket.socket) -> str:
    """Return what to say of the next question."""
    question = trap.recv(65535)
    try:
        names = [part.name.to_text(omit_final_dot=True) for part in dns.message.from_wire(question).question]
    except dns.exception.DNSException:
        return f"asked {question.hex()}"
    return f"asked {' '.join(names)}"


def connected(trap: socket.socket) -> str:
    """Return what to say of a question that comes over TCP."""
    trap.accept()[0].close()
    return "asked over TCP"


def main() -> None:
    """Watch until killed."""
    told = {""}
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERYTHING)) as sniffer,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trap,
        socket.create_server((TRAP, 53)) as stream_trap,
        selectors.DefaultSelector() as selector,
    ):
        trap.bind((TRAP, 53))
        for source, tell in ((sniffer, sent), (trap, asked), (stream_trap, connected)):
            selector.register(source, selectors.EVENT_READ, tell)
        print("watching")
        while True:
            for key, _ in selector.select():
                line = key.data(key.fileobj)
                if line not in told:
                    told.add(line)
                    print(line)


if __name__ == "__main__":
    main()
