"""The only sockets.

loop                         which event loop there is
dial, listener, device, interfaces, unix_socket    connecting and listening, and where
line_server, line_caller     questions and answers on a Unix socket
resolve, addresses           names to addresses; race is which of them is the one
tunnel_socket                the socket under a tunnel, for either side
relay, relay_pool, scratch   a socket and a channel, joined; what all receive into
streams, tls                 bytes to await, for the few who do; TLS in any of them
http, http_transport         our own requests; fetch and partial_file are downloads that go on
upstream_proxy               connections through another proxy
udp_flow, datagram_queue     datagrams, and where they wait
deadlines                    timers for very many
routes, default_route, network_id, network_watch    which network this is, if any
"""
