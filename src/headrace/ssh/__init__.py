"""Our SSH-2, without sockets: what a tunnel needs of RFC 4250 to 4254, and no more.

    wire, numbers      the data types; message numbers and reason codes
    algorithms         what is offered, and how two offers become a choice
    kex_methods, modp, host_keys, key_exchange
                       one key exchange, from the two offers to the keys
    clear, protection  packets before and behind NEWKEYS
    transport          the machine of one connection
    auth               password log-in, both sides
    channel, connection, forwarding, liveness
                       global requests, channels and their windows, what runs on them
    shaping, shaper    what our two ends do to a port forward's first bursts, and the machine for it

No shells, agents, compression, SHA-1 or CBC. Nothing is exported here: modules are imported by name.
"""
