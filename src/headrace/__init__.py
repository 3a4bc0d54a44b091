"""headrace: a Psiphon-class censorship-circumvention system.

The rooms, in the order in which they may import one another (a test enforces it):

base → crypto, codec → ssh, obfuscation, documents → net, transports, store, desktop → client, server → cli
"""

__version__ = "0.1.0"
