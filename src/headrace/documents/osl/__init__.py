"""Obfuscated server lists (OSL): lists that only clients with a certain traffic history can open.

A server gives a client a key (SLOK) when it moved enough bytes to certain destinations during a period.
Enough such keys, by nested secret sharing, give the key of a list, which anybody may hold. In reading order:

    sloks        the keys that traffic earns: derived, never stored
    config       which traffic, which periods, how many of them; networks is its set of subnets
    key_shares   the tree that says which SLOKs combine into a list's key
    registry     all lists of a propagation channel with their trees; opening a list
    urls         where registry and lists are
    paver        the operator's part: makes lists and registry
    payload      which entries go into which list
    seeding      the server's part: who has earned which keys

Source: server lists spec §4.
"""
