"""The only sockets: loop choice, dialling and listening, the tunnel's socket, the relay, resolution."""
