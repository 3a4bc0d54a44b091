"""Test kit, shipped: peers, virtual time, networks on loopback and in memory, a scripted censor, builders.

    peers, memory_tunnel   SSH machines face to face in memory, with and without real sockets at the far end
    fake_tcp, virtual_time no network, and no waiting
    wire, memory_network,  a network in memory: connections, who answers where, real servers and clients
      memory_server
    loopback, origin,      a server, a client, a web server, a storage service in this process;
      storage              web_listener is what the last two have in common
    network                all of them together: servers behind censors, published lists, clients
    censorship, measures,  what a censor does, when and to whom, as rules without sockets
      tampering, conditions, first_packets, active_probing, inspection
    censor, censor_relay,  a relay on sockets that applies them, to the byte, and sends probes
      censor_side, probing
    establishments         establishments played through, with fates made up beforehand
    dead_ends              addresses where nobody is
    entries                server entries as a network has them, by the thousand

Other people's projects may use it as well; `headrace.testing.plugin` is a pytest plugin. See docs/testing.md.
"""
