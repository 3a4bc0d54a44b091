"""Server configurations and tactics: any file is read or refused with a DocumentError that names it."""

from headrace.base.errors import DocumentError
from headrace.documents.server_config import read_server_config
from headrace.documents.tactics_config import read_tactics_config

SEEDS = [
    (
        b'{"ServerIPAddress":"192.0.2.1","TunnelProtocolPorts":{"SSH":22,"QUIC-OSSH":5},"SSHPrivateKey":"k",'
        b'"SSHServerVersion":"SSH-2.0-x","SSHUserName":"u","SSHPassword":"p"}'
    ),
    (
        b'{"DefaultTactics":{"Probability":1.0,"Parameters":{"ServerOSSHPrefixSpecs":{"a":[["","x+"]]},'
        b'"OSSHPrefixSplitMinDelay":"1ms","OSSHPrefixSplitMaxDelay":"20ms"}}}'
    ),
]


def fuzz(data: bytes) -> None:
    """`data` is the file."""
    try:
        config = read_server_config(data, "fuzzed.config")
    except DocumentError as error:
        assert str(error).startswith("fuzzed.config: ")
    else:
        assert config.protocol_ports
        assert not set(config.unsupported_protocols) & set(config.protocol_ports)
    try:
        tactics = read_tactics_config(data, "fuzzed.config")
    except DocumentError as error:
        assert str(error).startswith("fuzzed.config: ")
    else:
        least, most = tactics.prefixes.split_delay
        assert 0 <= least <= most
