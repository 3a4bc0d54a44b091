"""Every type of notice: how it is treated and what data it has (client spec §6.3).

This is the one place that says so: docs/notices.md and docs/notices.schema.json are made from it, and the
tests hold every notice that they see against it.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

__all__ = ["NOTICE_TYPES", "Field", "Kind", "NoticeType"]


class Kind(enum.Flag):
    """How a type of notice is treated."""

    PLAIN = 0
    DIAGNOSTIC = enum.auto()  # only when diagnostics are asked for
    NETWORK = enum.auto()  # only when network parameters are asked for
    SHOWS_ADDRESS = enum.auto()  # not scrubbed, and never in a file
    ON_CHANGE = enum.auto()  # not repeated while the content stays the same
    ONE_REPEAT = enum.auto()  # the same, but said twice
    ONCE = enum.auto()  # each content once in a run
    HOMEPAGE = enum.auto()  # in a file of its own, where there are files
    BYTES = enum.auto()  # these three have a switch of their own
    ADDRESS = enum.auto()
    ALERT = enum.auto()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a notice's data: its form as a JSON schema, and what it says."""

    schema: Mapping[str, object]
    says: str = ""
    always: bool = True
    network: bool = False  #: only when network parameters are asked for

    def __call__(self, says: str) -> "Field":
        """Return this field with another text."""
        return replace(self, says=says)

    @property
    def sometimes(self) -> "Field":
        """The same, which is not in every notice of the type."""
        return replace(self, always=False)


@dataclass(frozen=True, slots=True)
class NoticeType:
    """A type of notice."""

    kind: Kind
    says: str
    fields: Mapping[str, Field]


_TEXT = Field({"type": "string"})
_TEXTS = Field({"type": "array", "items": {"type": "string"}})
_FLAG = Field({"type": "boolean"})
_COUNT = Field({"type": "integer", "minimum": 0})
_NUMBER = Field({"type": "integer"})
_FACTOR = Field({"type": "number"})
_PORT = Field({"type": "integer", "minimum": 1, "maximum": 65535})
_DURATION = Field({"type": "string", "pattern": r"^([0-9]+h)?([0-9]+m)?[0-9.]+(s|ms|µs|ns)$"})
_OBJECT = Field({"type": "object"})

_MESSAGE = _TEXT("in plain words")
_SERVER = _TEXT("which server")
_REGION = _TEXT("a country, two capital letters; empty where it is not known")
_URL = _TEXT("where it is; `[redacted]` without network parameters")
_FAILED: Final = "the run is over"

_ATTEMPT: Final[Mapping[str, Field]] = {
    "diagnosticID": _SERVER,
    "region": _REGION("where the server's traffic leaves"),
    "protocol": _TEXT("the tunnel protocol"),
    "candidateNumber": _COUNT("which attempt it is, from 1, since there was no tunnel"),
    "isReplay": _FLAG("choices that worked before are repeated").sometimes,
    "replayIgnoredChange": _FLAG("they are, though settings have changed since").sometimes,
    "DSLPrioritized": _FLAG("never in headrace").sometimes,
    "uniqueCandidateEstimate": _COUNT("about how many servers were looked at").sometimes,
    "firstFrontedMeekCandidate": _COUNT("never in headrace").sometimes,
    "candidatesMovedToFront": _COUNT("how many servers go first because they worked before").sometimes,
    "establishedTunnelsCount": _COUNT("tunnels so far in this run").sometimes,
    "networkType": _TEXT("`WIFI`, `MOBILE`, `WIRED`, `VPN` or `UNKNOWN`").sometimes,
    "networkLatencyMultiplier": replace(_FACTOR("how patient the attempt is"), always=False, network=True),
    "OSSHPrefix": replace(_TEXT("the name of the prefix"), always=False, network=True),
}

_P, _D, _C = Kind.PLAIN, Kind.DIAGNOSTIC, Kind.ON_CHANGE
_TRACE = Kind.DIAGNOSTIC | Kind.NETWORK


def _type(kind: Kind, says: str, **fields: Field) -> NoticeType:
    return NoticeType(kind, says, fields)


NOTICE_TYPES: Final[Mapping[str, NoticeType]] = {
    "Info": _type(_D, "for diagnosis", message=_MESSAGE),
    "Warning": _type(_D, "something went wrong, the client goes on", message=_MESSAGE),
    "Error": _type(_D, "why the client stops", message=_MESSAGE),
    "InternalError": _type(_P, "a mistake in the program; it goes on as far as it can", message=_MESSAGE),
    "UserLog": _type(_D, "from whatever runs the client", message=_MESSAGE),
    "BuildInfo": _type(
        _D,
        "which program this is",
        buildInfo=_OBJECT("`buildDate`, `builtWith`, `buildRepo`, `buildRev`"),
    ),
    "SessionId": _type(_D, "this run", sessionId=_TEXT("random, 32 hexadecimal digits")),
    "NetworkID": _type(_C, "the network has changed", ID=_TEXT("its type, and `+[redacted]`")),
    "ApplicationParameters": _type(_C, "settings from tactics", parameters=_OBJECT("by name")),
    "ListeningSocksProxyPort": _type(_P, "the local SOCKS proxy is there", port=_PORT("of it")),
    "ListeningHttpProxyPort": _type(_P, "the local HTTP proxy is there", port=_PORT("of it")),
    "SocksProxyPortInUse": _type(_P, _FAILED, port=_PORT("another program has it")),
    "HttpProxyPortInUse": _type(_P, _FAILED, port=_PORT("another program has it")),
    "ListeningSocksProxyUnixPath": _type(_P, "the local SOCKS proxy is there", path=_TEXT("of its socket")),
    "ListeningHttpProxyUnixPath": _type(_P, "the local HTTP proxy is there", path=_TEXT("of its socket")),
    "AvailableEgressRegions": _type(
        _C, "what can be chosen", regions=_TEXTS("countries where known servers' traffic leaves, sorted")
    ),
    "CandidateServers": _type(
        _D,
        "how many servers may be tried",
        count=_COUNT("of them"),
        region=_TEXT("`EgressRegion`"),
        initialLimitTunnelProtocols=_TEXTS("as configured").sometimes,
        initialLimitTunnelProtocolsCandidateCount=_COUNT("as configured").sometimes,
        limitTunnelProtocols=_TEXTS("as configured").sometimes,
        limitTunnelDialPortNumbers=_OBJECT("as configured").sometimes,
        replayCandidateCount=_NUMBER("as configured").sometimes,
        initialCount=_COUNT("how many within the limits for the first attempts").sometimes,
        duration=_DURATION("what it took to count").sometimes,
    ),
    "ConnectingServer": _type(_D, "an attempt begins", **_ATTEMPT),
    "ConnectedServer": _type(_D, "an attempt has come to its end well", **_ATTEMPT),
    "RequestingTactics": _type(_D, "an attempt at tactics begins", **_ATTEMPT),
    "RequestedTactics": _type(_D, "tactics are there", **_ATTEMPT),
    "LivenessTest": _type(
        _TRACE,
        "a new tunnel was asked to carry random bytes",
        diagnosticID=_SERVER,
        metrics=Field(
            {
                "type": "object",
                "properties": {
                    "Duration": _DURATION.schema,
                    "UpstreamBytes": _COUNT.schema,
                    "SentUpstreamBytes": _COUNT.schema,
                    "DownstreamBytes": _COUNT.schema,
                    "ReceivedDownstreamBytes": _COUNT.schema,
                },
                "required": [
                    "Duration",
                    "UpstreamBytes",
                    "SentUpstreamBytes",
                    "DownstreamBytes",
                    "ReceivedDownstreamBytes",
                ],
            },
            "`Duration`, `UpstreamBytes` and `DownstreamBytes` asked for, `SentUpstreamBytes` and "
            "`ReceivedDownstreamBytes` that came to pass",
        ),
        success=_FLAG("all of them arrived"),
    ),
    "ClientRegion": _type(_P, "where the server sees the client", region=_REGION),
    "ClientAddress": _type(
        Kind.SHOWS_ADDRESS | Kind.ADDRESS, "as whom the server sees the client", address=_TEXT("not redacted")
    ),
    "SplitTunnelRegions": _type(_P, "what is not tunnelled", regions=_TEXTS("countries of destinations")),
    "Homepage": _type(Kind.HOMEPAGE, "a page the server would like to be shown", url=_TEXT("of it")),
    "ClientUpgradeAvailable": _type(_P, "there is a newer client", version=_TEXT("of it")),
    "ClientIsLatestVersion": _type(_P, "there is none", availableVersion=_TEXT("the latest")),
    "ServerTimestamp": _type(
        _P, "the server's clock", diagnosticID=_SERVER, timestamp=_TEXT("RFC 3339, to the hour")
    ),
    "ActiveAuthorizationIDs": _type(
        _P, "which authorizations the server accepts", diagnosticID=_SERVER, IDs=_TEXTS("of them")
    ),
    "TrafficRateLimits": _type(
        _P,
        "how fast the server lets the tunnel be",
        diagnosticID=_SERVER,
        upstreamBytesPerSecond=_COUNT("0 is no limit"),
        downstreamBytesPerSecond=_COUNT("0 is no limit"),
    ),
    "Tunnels": _type(_P, "whether the proxies can be used", count=_COUNT("of tunnels; 0 is not connected")),
    "ActiveTunnel": _type(
        _D, "there is another tunnel", diagnosticID=_SERVER, protocol=_TEXT("the tunnel protocol")
    ),
    "ConnectedServerRegion": _type(_P, "where traffic leaves", serverRegion=_REGION),
    "BytesTransferred": _type(
        Kind.BYTES,
        "what has passed since the last one, if anything",
        diagnosticID=_SERVER,
        sent=_COUNT("bytes up"),
        received=_COUNT("bytes down"),
    ),
    "TotalBytesTransferred": _type(
        _D,
        "what has passed through a tunnel so far, now and then and at its end",
        diagnosticID=_SERVER,
        sent=_COUNT("bytes up"),
        received=_COUNT("bytes down"),
    ),
    "Untunneled": _type(
        Kind.SHOWS_ADDRESS | _C, "this does not go through the tunnel", address=_TEXT("not redacted")
    ),
    "UpstreamProxyError": _type(
        _C, "what is wrong with the upstream proxy, once attempts have failed for a while", message=_MESSAGE
    ),
    "SystemProxy": _type(
        _P,
        "the desktop's programs use the local proxies, until the run ends",
        desktop=_TEXT("whose settings: `gnome`, `kde`, `environment`, `windows` or `macos`"),
    ),
    "SystemProxyError": _type(_P, "why they do not", message=_MESSAGE),
    "LocalProxyError": _type(
        _D | Kind.ONE_REPEAT,
        "an application could not be served",
        message=_MESSAGE,
        repeats=_COUNT("1 when it is said for the second time; not said again after that").sometimes,
    ),
    "SkipServerEntry": _type(Kind.ONCE, "why an entry cannot be tried", reason=_MESSAGE),
    "ServerAlert": _type(
        Kind.ONCE | Kind.ALERT,
        "the server has something to say",
        reason=_TEXT("`disallowed-traffic`, `unsafe-traffic` or another"),
        subject=_TEXT("of it"),
        actionURLs=_TEXTS("where there is more about it"),
    ),
    "SLOKSeeded": _type(
        _D,
        "with `EmitSLOKs`: the server handed out a key for obfuscated lists",
        slokID=_TEXT("base64"),
        duplicate=_FLAG("it was known"),
    ),
    "RemoteServerListResourceDownloadedBytes": _type(
        _D,
        "how much of a list has come, once a second at most",
        url=_URL,
        bytes=_COUNT("so far"),
        duration=_DURATION("since it began"),
    ),
    "RemoteServerListResourceDownloaded": _type(
        _D, "a list was fetched and is another one than before", url=_URL
    ),
    "ClientUpgradeDownloadedBytes": _type(_D, "how much of an upgrade has come", bytes=_COUNT("so far")),
    "ClientUpgradeDownloaded": _type(_P, "an upgrade is there", filename=_TEXT("where")),
    "PruneServerEntry": _type(_D, "a server is no more, and forgotten", serverEntryTag=_TEXT("of its entry")),
    "BindToDevice": _type(_C, "which device is used", deviceInfo=_TEXT("its name")),
    "Fragmentor": _type(_TRACE, "how a connection was cut up", diagnosticID=_SERVER, message=_MESSAGE),
    "Bursts": _type(_TRACE, "how bytes came in bursts", diagnosticID=_SERVER, bursts=_OBJECT("figures")),
    "HoldOffTunnel": _type(
        _TRACE, "a tunnel waits before it counts", diagnosticID=_SERVER, duration=_DURATION("how long")
    ),
    "EstablishTunnelTimeout": _type(
        _P, "no first tunnel in time; the run is over", timeout=_DURATION("what was waited")
    ),
    "Exiting": _type(_P, "the last one"),
}
"""Every type there is."""
