"""Bytes to values and back: SOCKS, HTTP heads, udpgw frames, API parameters. No sockets, no clocks.

    cursor             bounded reader over bytes
    socks              SOCKS4, 4a and 5, as spoken to the local proxy; socks_udp is what goes before datagrams
    http_head          heads of HTTP messages, as the local proxy rewrites them; http_fields are theirs
    http_body          where the bodies behind them end; hop_by_hop is what of a head goes on
    request_watch      whether what arrives is a request, and all of it
    http_basic         who an application says it is
    hls_playlist       playlists whose addresses are to lead somewhere else
    negotiation        what it means to ask a proxy for a connection; the two after it are ways to
    socks_client       SOCKS4a and 5, as spoken to an upstream proxy
    http_connect       the same in HTTP
    http_login         logging in there: http_challenges reads what is offered, http_login_way, digest and
                       ntlm are ways to answer
    host_names         what a destination is called when a proxy, or a name server, is asked for it
    dns_question       what a DNS message asks for
    udpgw              UDP datagrams framed on one channel
    bounded_cbor       CBOR from strangers, checked before it is decoded
    packed_parameters  API parameters, JSON or packed; packed_parameter_keys is the table, and
                       packed_authorizations what is inside one of them
    handshake_response the answer to the API handshake, JSON or CBOR
    go_time            Go's binary time, found in keep-alive answers
    go_duration        Go's durations as text

Input from a peer either parses or raises RemoteProtocolError, in bounded time and memory.
"""
