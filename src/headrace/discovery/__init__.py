"""Which further server a client is told of, and what of the network a host may hold: rules without I/O.

    servers       what is known of a server that may be told of
    candidates    those whose time it is, and when that changes
    strategy      what a strategy has to do, and the strategies by name
    classic       by a keyed value of the client's address, and the hour
    consistent    by a ring of hashes, each server for as many clients as any other
    keyed         by a secret and the client's network: stable, and nothing to be gained by many addresses
    extract       which servers a host is given: not all of the network, and not all of its future
    exposure      what somebody learns who asks from many addresses, for days

Server-lists spec §5, operations spec §1.10.
"""

from headrace.discovery.candidates import Candidates
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import STRATEGIES, Choose, Strategy, make_strategy

__all__ = ["STRATEGIES", "Candidates", "Choose", "DiscoveryServer", "Strategy", "make_strategy"]
