from headrace.server.stats.load_events import load_events
from headrace.server.stats.snapshot import Snapshot, client_key

GERMANY, FRANCE = client_key("OSSH", "DE", "1"), client_key("SSH", "FR", "2")


def test_an_idle_server_tells_zeros() -> None:
    (event,) = load_events(Snapshot(workers=1), Snapshot(), ["OSSH"])
    none = {"accepted_clients": 0, "established_clients": 0}
    assert event["ALL"] == event["OSSH"] == none
    assert event["establish_tunnels"] is False
    assert event["dns_count"] == {"ALL": 0}
    assert {name: value for name, value in event.items() if "tcp" in name or "udp" in name} == dict.fromkeys(
        (
            *("dialing_tcp_port_forwards", "tcp_port_forwards", "total_tcp_port_forwards"),
            *("udp_port_forwards", "total_udp_port_forwards"),
            *("tcp_port_forward_dialed_count", "tcp_port_forward_dialed_duration"),
            *("tcp_port_forward_failed_count", "tcp_port_forward_failed_duration"),
            "tcp_port_forward_rejected_dialing_limit_count",
            "tcp_port_forward_rejected_disallowed_count",
            "udp_port_forward_rejected_disallowed_count",
            *("tcp_ipv4_port_forward_dialed_count", "tcp_ipv4_port_forward_dialed_duration"),
            *("tcp_ipv4_port_forward_failed_count", "tcp_ipv4_port_forward_failed_duration"),
            *("tcp_ipv6_port_forward_dialed_count", "tcp_ipv6_port_forward_dialed_duration"),
            *("tcp_ipv6_port_forward_failed_count", "tcp_ipv6_port_forward_failed_duration"),
        ),
        0,
    )


def test_clients_by_country_and_protocol() -> None:
    now = Snapshot(
        accepting=1,
        connections={GERMANY: 5, FRANCE: 2, client_key("OSSH", "DE", "3"): 1},
        tunnels={GERMANY: 4},
    )
    everywhere, germany, france = load_events(now, Snapshot(), ["OSSH", "SSH"])
    assert everywhere["establish_tunnels"] is True
    assert everywhere["ALL"] == {"accepted_clients": 8, "established_clients": 4}
    assert everywhere["SSH"] == {"accepted_clients": 2, "established_clients": 0}
    assert germany == {
        "region": "DE",
        "ALL": {"accepted_clients": 6, "established_clients": 4},
        "OSSH": {"accepted_clients": 6, "established_clients": 4},
        "SSH": {"accepted_clients": 0, "established_clients": 0},
    }
    assert (france["region"], france["ALL"]) == ("FR", {"accepted_clients": 2, "established_clients": 0})


def test_what_happened_is_told_since_the_last_time() -> None:
    before = Snapshot(counts={"dialed.ipv4": 10, "dialed_ms.ipv4": 100, "rejected.accept_rate": 1})
    now = Snapshot(
        dialing=2,
        tcp_forwards=7,
        counts={
            "dialed.ipv4": 13,
            "dialed.ipv6": 4,
            "dialed_ms.ipv4": 160,
            "dial_failed.ipv6": 1,
            "dial_failed_ms.ipv6": 9,
            "refused.tcp_disallowed": 2,
            "rejected.accept_rate": 2,
            "rejected.queue_full": 5,
            "dns.answered": 3,
            "dns_ms.failed": 4,
        },
    )
    (event,) = load_events(now, before, [])
    told = {
        "establish_tunnels_limited_count": 6,
        "dialing_tcp_port_forwards": 2,
        "tcp_port_forwards": 7,
        "tcp_port_forward_dialed_count": 7,
        "tcp_ipv4_port_forward_dialed_count": 3,
        "tcp_port_forward_dialed_duration": 60,
        "tcp_port_forward_failed_count": 1,
        "tcp_ipv6_port_forward_failed_duration": 9,
        "tcp_port_forward_rejected_disallowed_count": 2,
        "dns_count": {"ALL": 3},
        "dns_failed_duration": {"ALL": 4},
    }
    assert {name: event[name] for name in told} == told
