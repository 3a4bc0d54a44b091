"""Obfuscated server lists (OSL): lists that only clients with a certain traffic history can open.

A server hands a key (SLOK) to a client that moved enough bytes to certain destinations during a period.
Enough such keys, by nested secret sharing, give the key of a list, which anybody may hold.

    config ──► seeding          the server: who is given which keys
       │          │
       └──► sloks ┘             the keys: derived, never stored
              │
    paver ──► key_shares ──► registry   the operator makes what the client reads: which keys open which list
                                │
    payload                   urls      what goes into which list; where lists are

Source: server lists spec §4.
"""
