"""Bytes to values and back: SOCKS, HTTP heads, udpgw frames, API parameters. No sockets, no clocks.

    cursor             bounded reader over bytes
    socks              SOCKS4, 4a and 5 CONNECT, as spoken to the local proxy
    http_head          first request of an HTTP connection to the local proxy
    udpgw              UDP datagrams framed on one channel
    bounded_cbor       CBOR from strangers, checked before it is decoded
    packed_parameters  API parameters, JSON or packed
    handshake_response the answer to the API handshake, JSON or CBOR
    go_time            Go's binary time, found in keep-alive answers
    go_duration        Go's durations as text

Input from a peer either parses or raises RemoteProtocolError, in bounded time and memory.
"""
