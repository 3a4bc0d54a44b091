"""The client: finds a server, keeps a tunnel to it, and offers it to applications as local proxies."""
