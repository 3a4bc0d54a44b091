"""A client inside another program: no process of its own, no local port.

connect ──► Tunnel ──► create_connection, open_connection    asyncio's streams, TLS on them if wanted
   │           ├─────► httpx_transport, aiohttp_connector
   │           └─────► status, statuses, events
connect_sync ──► SyncTunnel (the same on a thread of its own) ──► requests_adapter, sockets

tunnel, config, feed, errors           what a program holds, what it gives, what it hears, what goes wrong
connections, channel_transport         asyncio's way of connecting, which httpx_transport and
                                       aiohttp_connector use
sync, socket_pair                      the thread, and its connections as sockets; urllib3_pools and
                                       requests_adapter use those
"""
