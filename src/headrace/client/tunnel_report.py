"""What is told of a new tunnel, in the order that front ends rely on (client spec §1.8)."""

from headrace.client.notices import Notices
from headrace.client.split_tunnel import SplitTunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.establishment.dial_parameters import DialParameters

__all__ = ["report_tunnel"]


def report_tunnel(
    notices: Notices,
    attempt: DialParameters,
    response: HandshakeResponse,
    count: int,
    split: SplitTunnel | None = None,
) -> None:
    """Tell of a tunnel and of what its server answered; there are `count` tunnels now."""
    emit = notices.emit
    identity = attempt.diagnostic_id
    if response.client_address:
        emit("ClientAddress", address=response.client_address)
    if response.client_region:
        emit("ClientRegion", region=response.client_region)
    if split is not None and split.by_region:
        emit("SplitTunnelRegions", regions=split.regions(response.client_region))
    for url in response.homepages:
        emit("Homepage", url=url)
    if response.upgrade_client_version:
        emit("ClientUpgradeAvailable", version=response.upgrade_client_version)
    if response.server_timestamp:
        emit("ServerTimestamp", diagnosticID=identity, timestamp=response.server_timestamp)
    emit("ActiveAuthorizationIDs", diagnosticID=identity, IDs=response.active_authorization_ids)
    emit(
        "TrafficRateLimits",
        diagnosticID=identity,
        upstreamBytesPerSecond=response.upstream_bytes_per_second,
        downstreamBytesPerSecond=response.downstream_bytes_per_second,
    )
    emit("Tunnels", count=count)
    emit("ActiveTunnel", diagnosticID=identity, protocol=attempt.protocol)
    emit("ConnectedServerRegion", serverRegion=attempt.entry.region)
