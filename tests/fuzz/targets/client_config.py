"""Client configurations: any file is read or refused with a DocumentError that names it."""

from headrace.base.errors import DocumentError
from headrace.documents.client_config import read_client_config

SEEDS = [
    (
        b'{"PropagationChannelId":"F","SponsorId":"F","EmbeddedServerEntryList":"aa\\nbb","OSSHPrefixSpecs":{"a":[["",'
        b'"x{1,9}"]]},"OSSHPrefixScopedSpecNames":{"":["a"],"80":[]},"OSSHPrefixProbability":0.5,'
        b'"OSSHPrefixSplitMaxDelayMilliseconds":9,"TunnelProtocol":"OSSH"}'
    ),
]


def fuzz(data: bytes) -> None:
    """`data` is the file."""
    try:
        config = read_client_config(data, "fuzzed.config")
    except DocumentError as error:
        assert str(error).startswith("fuzzed.config: ")
    else:
        least, most = config.prefixes().split_delay
        assert least <= most
        assert config.embedded_server_entries is not None
