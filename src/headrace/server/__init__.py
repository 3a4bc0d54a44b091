"""The server: listens, tells clients from strangers, and forwards what clients ask for."""
