"""The only sockets: loop choice, dialling and listening, the tunnel's socket, the relay, resolution,
upstream proxies, TLS in any stream, our own HTTP requests and resumable downloads.
"""
