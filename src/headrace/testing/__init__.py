"""Test kit, shipped: paired in-memory peers, virtual time, a loopback network, a censor, builders.

    peers, memory_tunnel   SSH machines face to face in memory, with and without real sockets at the far end
    fake_tcp, virtual_time no network, and no waiting
    loopback, origin       a server, a client and a web server in this process
    censor                 a relay that counts, cuts, stalls, resets and slows down connections, to the byte
    dead_ends              addresses where nobody is
    entries                server entries as a network has them, by the thousand

Other people's projects may use it as well; `headrace.testing.plugin` is a pytest plugin.
"""
