"""The OSSH layer, without sockets: what stands between TCP and SSH until both sides have their keys.

    preamble         the bytes: seed message, prefix header, terminator
    padding_lines    what a server says before its SSH identification
    prefix           specs: prefixes drawn from regular expressions; regex_syntax and regex_sample serve it
    default_prefix   the spec pairs we ship; http_heads has what they look like
    framing          what follows an HTTP head as the chunks of its body
    client, server   the two machines: ClientObfuscator and ServerObfuscator
    veil             the pair of RC4 streams the SSH transport uses until NEWKEYS
    seed_history     the rule by which a replayed seed is known

Specification: tunnel spec §1 to §3. The layer hides, it does not authenticate: whoever has a server's entry
has its key. Everything that arrives, the prefix header included, is hostile input.
"""

from headrace.obfuscation.client import ClientObfuscator
from headrace.obfuscation.default_prefix import DEFAULT_SPEC, default_prefixes, default_server_prefixes
from headrace.obfuscation.prefix import ClientPrefix, PrefixSpecs
from headrace.obfuscation.seed_history import SeedMemory
from headrace.obfuscation.server import Accepted, Reject, RejectReason, ServerObfuscator
from headrace.obfuscation.veil import Veil

__all__ = [
    "DEFAULT_SPEC",
    "Accepted",
    "ClientObfuscator",
    "ClientPrefix",
    "PrefixSpecs",
    "Reject",
    "RejectReason",
    "SeedMemory",
    "ServerObfuscator",
    "Veil",
    "default_prefixes",
    "default_server_prefixes",
]
