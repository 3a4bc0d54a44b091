"""Client configurations: any file is read or refused with a DocumentError that names it."""

import base64

from headrace.base.errors import DocumentError
from headrace.crypto.secret_box import seal_box
from headrace.documents.client_config import read_client_config

SEEDS = [
    (
        b'{"PropagationChannelId":"F","SponsorId":"F","EmbeddedServerEntryList":"aa\\nbb","OSSHPrefixSpecs":{"a":[["",'
        b'"x{1,9}"]]},"OSSHPrefixScopedSpecNames":{"":["a"],"80":[]},"OSSHPrefixProbability":0.5,'
        b'"OSSHPrefixSplitMaxDelayMilliseconds":9,"TunnelProtocol":"OSSH"}'
    ),
    (
        b'{"PropagationChannelId":"F","SponsorId":"F","LimitTunnelDialPortNumbers":{"All":[443,[8000,8100]]},'
        b'"RateLimits":{"ReadBytesPerSecond":1},"UseNoticeFiles":{},"UpstreamProxyCustomHeaders":{"X":["a"]},'
        b'"DataStoreDirectory":"a","SSHKeepAlivePeriodMinMilliseconds":1,"SSHKeepAlivePeriodMaxMilliseconds":2,'
        b'"AdditionalParameters":"%s"}'
    )
    % base64.b64encode(bytes(32) + seal_box(bytes(32), b'{"EgressRegion":"NL","tunnelprotocol":"SSH"}')),
    (
        b'{"PropagationChannelId":"F","SponsorId":"F","UseUnixDomainSockets":true,"LocalSocksProxyUnixPath":"@a",'
        b'"LocalHttpProxyUnixPath":"/b","LocalProxyUsername":"a","LocalProxyPassword":"b","BindInterface":"eth0",'
        b'"SplitTunnelRegions":["NL"],"SplitTunnelExcludedHosts":["a","*.b.","192.0.2.0/24","::1"]}'
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
        assert repr(config)
