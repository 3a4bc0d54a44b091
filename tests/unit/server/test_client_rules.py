"""Which rules a client is under, from its connection to its end."""

import json
from typing import Any

from tests.unit.server.test_authorizations import NOW, Desk, boost

from headrace.documents.traffic_rules import ClientTraits, TrafficRules, read_traffic_rules
from headrace.server.client_rules import ClientRules

HANDSHAKE = {"client_platform": "Linux", "client_version": "7"}


def rules(*filtered: tuple[dict[str, Any], int], most: int = 1) -> TrafficRules:
    """Return rules that give a client its number of port forwards by the first filter that is its own."""
    return read_traffic_rules(
        json.dumps(
            {
                "DefaultRules": {"MaxTCPPortForwardCount": most},
                "FilteredRules": [
                    {"Filter": wanted, "Rules": {"MaxTCPPortForwardCount": count}}
                    for wanted, count in filtered
                ],
            }
        ).encode()
    )


class Client:
    def __init__(self, first: TrafficRules, desk: Desk | None = None, session_id: str = "s") -> None:
        self.told: list[int] = []
        self.desk = desk or Desk()
        self.rules = ClientRules(
            first,
            ClientTraits(tunnel_protocol="OSSH", region="NL"),
            self.desk.all,
            lambda: self.told.append(self.most),
        )
        self.rules.logged_in(session_id, first_tunnel=True)

    @property
    def most(self) -> int:
        return self.rules.limits.max_tcp


def test_the_handshake_decides_and_needs_not_be_told() -> None:
    client = Client(
        rules(({"Regions": ["DE"]}, 2), ({"HandshakeParameters": {"client_platform": ["L*"]}}, 3))
    )
    assert client.most == 1
    client.rules.handshaken(HANDSHAKE)
    assert (client.most, client.told) == (3, [])


def test_other_rules_are_told_of_if_they_are_others_for_this_client() -> None:
    client = Client(rules())
    client.rules.handshaken(HANDSHAKE)
    client.rules.reload(rules(({"Regions": ["DE"]}, 2)))
    assert client.told == []
    client.rules.reload(rules(({"Regions": ["NL"]}, 3)))
    assert client.told == [3]
    client.rules.reload(rules(({"Regions": ["NL"]}, 3)))
    assert client.told == [3]


def test_authorizations_decide_while_they_last() -> None:
    by_type = rules(({"AuthorizedAccessTypes": ["boost"]}, 10), ({"AuthorizationsRevoked": True}, 0))
    client = Client(by_type)
    client.rules.handshaken(HANDSHAKE, [boost(seconds=60)])
    assert client.most == 10
    assert len(client.rules.authorization_ids) == 1
    assert client.rules.access_types == ["boost"]
    client.rules.sweep(NOW + 59)
    assert client.told == []
    client.rules.sweep(NOW + 60)
    assert client.told == [1]  # as for a client that never had any, not as for one whose were revoked
    assert client.rules.authorization_ids == []


def test_another_session_takes_them_away() -> None:
    by_id = rules(({"AuthorizationsRevoked": True}, 2), ({"AuthorizedAccessTypes": ["boost"]}, 10))
    desk = Desk()
    first, second = Client(by_id, desk, "first"), Client(by_id, desk, "second")
    first.rules.handshaken(HANDSHAKE, [boost()])
    second.rules.handshaken(HANDSHAKE, [boost()])
    assert (first.most, first.told) == (2, [2])
    assert (second.most, second.told) == (10, [])
    second.rules.close()
    third = Client(by_id, desk, "third")
    third.rules.handshaken(HANDSHAKE, [boost()])
    assert second.told == []


def test_only_the_first_tunnel_of_a_session_gets_an_allowance_if_the_rules_say_so() -> None:
    once = read_traffic_rules(
        b'{"DefaultRules":{"RateLimits":{"ReadUnthrottledBytes":5,"UnthrottleFirstTunnelOnly":true}}}'
    )
    for first_tunnel, earlier, free in ((True, "0", 5), (True, "", 5), (True, "1", 0), (False, "0", 0)):
        client = Client(once)
        client.rules.logged_in("s", first_tunnel=first_tunnel)
        assert client.rules.limits.read_unthrottled_bytes == 5
        client.rules.handshaken({**HANDSHAKE, "established_tunnels_count": earlier})
        assert client.rules.limits.read_unthrottled_bytes == free


def test_nothing_happens_without_a_handshake() -> None:
    client = Client(rules())
    client.rules.sweep(NOW)
    client.rules.close()
    assert client.rules.authorization_ids == []
    assert client.rules.access_types == []
