"""Answers of a name server behind the tunnel: any bytes are an answer to the question, or none."""

import dns.message
import dns.rrset

from headrace.base.errors import NetworkError
from headrace.client.udp_names import parse_answer, read_addresses

QUESTION = dns.message.make_query("a.test", "A", id=7)


def _answer() -> bytes:
    answer = dns.message.make_response(QUESTION)
    answer.answer.append(dns.rrset.from_text("a.test.", 5, "IN", "CNAME", "b.test."))
    answer.answer.append(dns.rrset.from_text("b.test.", 9, "IN", "A", "192.0.2.1", "192.0.2.2"))
    return answer.to_wire()


SEEDS = [_answer()]


def fuzz(data: bytes) -> None:
    """`data` is a datagram that claims to be the answer."""
    reply = parse_answer(data, QUESTION)
    if reply is None:
        return
    try:
        found = read_addresses(reply)
    except NetworkError:
        return
    assert all(isinstance(address, str) and age >= 0 for address, age in found)
