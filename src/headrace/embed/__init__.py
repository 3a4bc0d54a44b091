"""A client inside another program: no process of its own, no local port.

connect ──► Tunnel ──► create_connection, open_connection    asyncio's streams, TLS on them if wanted
   │           ├─────► httpx_transport, aiohttp_connector
   │           └─────► status, statuses, events
connect_sync ──► SyncTunnel (the same on a thread of its own) ──► requests_adapter, sockets
"""
