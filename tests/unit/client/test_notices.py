"""Notices, as the programs that read them expect them."""

import inspect
import io
import json

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import LocalProtocolError
from headrace.client.notice_types import NOTICE_TYPES
from headrace.client.notices import NoticeOptions, Notices
from headrace.documents.client_config import ClientConfig

ATTEMPT: dict[str, object] = {
    "diagnosticID": "x",
    "region": "NL",
    "protocol": "OSSH",
    "candidateNumber": 1,
}
ALL = NoticeOptions(
    diagnostics=True,
    network_parameters=True,
    bytes_transferred=True,
    client_address=True,
    server_alerts=True,
)


class FrozenClock:
    def time(self) -> float:
        return 1_704_164_645.6789

    def monotonic(self) -> float:
        return 0.0

    def boottime(self) -> float:
        return self.monotonic()


class Recorder:
    def __init__(self, options: NoticeOptions | None = None) -> None:
        self.stream = io.StringIO()
        self.notices = Notices(self.stream, FrozenClock(), options)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def data(self) -> list[dict[str, object]]:
        return [json.loads(line)["data"] for line in self.text.splitlines()]


def test_exact_text() -> None:
    recorder = Recorder()
    recorder.notices.emit("Homepage", url="https://home.example/?b=1&a=<2>")
    recorder.notices.emit("Tunnels", count=1)
    recorder.notices.emit("Exiting")
    assert recorder.text == (
        r'{"data":{"url":"https://home.example/?b=1\u0026a=\u003c2\u003e"},"noticeType":"Homepage",'
        '"timestamp":"2024-01-02T03:04:05.678Z"}\n'
        '{"data":{"count":1},"noticeType":"Tunnels","timestamp":"2024-01-02T03:04:05.678Z"}\n'
        '{"data":{},"noticeType":"Exiting","timestamp":"2024-01-02T03:04:05.678Z"}\n'
    )


def test_keys_are_sorted_at_every_level() -> None:
    recorder = Recorder(ALL)
    recorder.notices.emit("BuildInfo", buildInfo={"b": 1, "a": {"d": 1, "c": [{"f": 1, "e": 2}]}})
    assert '{"buildInfo":{"a":{"c":[{"e":2,"f":1}],"d":1},"b":1}}' in recorder.text


def test_human_format() -> None:
    recorder = Recorder(NoticeOptions(human=True))
    recorder.notices.emit("ListeningSocksProxyPort", port=1080)
    assert recorder.text == '2024-01-02T03:04:05.678Z ListeningSocksProxyPort {"port":1080}\n'


def test_diagnostics_only_when_asked_for() -> None:
    recorder = Recorder()
    recorder.notices.info("a")
    recorder.notices.warning("b")
    recorder.notices.error("c")
    recorder.notices.emit("ActiveTunnel", diagnosticID="x", protocol="OSSH")
    assert recorder.text == ""
    recorder = Recorder(NoticeOptions(diagnostics=True))
    recorder.notices.info("a")
    recorder.notices.warning("b")
    recorder.notices.error("c")
    assert recorder.data == [{"message": "a"}, {"message": "b"}, {"message": "c"}]


def test_errors_can_be_shown_without_the_rest() -> None:
    recorder = Recorder(NoticeOptions(errors=True))
    recorder.notices.info("a")
    recorder.notices.error("b")
    assert recorder.data == [{"message": "b"}]


def test_network_parameters_only_when_asked_for() -> None:
    trace = {"diagnosticID": "x", "duration": "1s"}
    for options, expected in (
        (NoticeOptions(diagnostics=True), [ATTEMPT]),
        (ALL, [ATTEMPT | {"OSSHPrefix": "HTTP"}, trace]),
    ):
        recorder = Recorder(options)
        recorder.notices.emit("ConnectingServer", {"OSSHPrefix": "HTTP"}, **ATTEMPT)
        recorder.notices.emit("HoldOffTunnel", None, **trace)
        assert recorder.data == expected


@pytest.mark.parametrize(
    ("notice_type", "option", "data"),
    [
        (
            "BytesTransferred",
            NoticeOptions(bytes_transferred=True),
            {"diagnosticID": "x", "sent": 1, "received": 2},
        ),
        ("ClientAddress", NoticeOptions(client_address=True), {"address": "192.0.2.1"}),
        (
            "ServerAlert",
            NoticeOptions(server_alerts=True),
            {"reason": "a", "subject": "b", "actionURLs": []},
        ),
    ],
)
def test_switches(notice_type: str, option: NoticeOptions, data: dict[str, object]) -> None:
    for options, shown in ((NoticeOptions(), False), (option, True)):
        recorder = Recorder(options)
        recorder.notices.emit(notice_type, None, **data)
        assert bool(recorder.text) is shown


def test_addresses_are_taken_out_but_where_they_are_the_point() -> None:
    for notice_type in NOTICE_TYPES:
        recorder = Recorder(ALL)
        emit = inspect.unwrap(Notices.emit)  # without the check of what a type's data is
        emit(recorder.notices, notice_type, address="192.0.2.1:80", nested=[{"2001:db8::1": "192.0.2.2"}])
        shown = notice_type in ("ClientAddress", "Untunneled")
        assert ("192.0.2.1:80" in recorder.text) is shown
        assert ("2001:db8::1" in recorder.text) is shown
        assert ("[redacted]" in recorder.text) is not shown
        json.loads(recorder.text)


def test_repetitions_are_suppressed_while_nothing_changes() -> None:
    recorder = Recorder()
    for regions in (["NL"], ["NL"], ["DE"], ["DE"], ["NL"]):
        recorder.notices.emit("AvailableEgressRegions", regions=regions)
    assert recorder.data == [{"regions": ["NL"]}, {"regions": ["DE"]}, {"regions": ["NL"]}]


def test_one_repeat_is_shown_and_counted() -> None:
    recorder = Recorder(ALL)
    for message in ("a", "a", "a", "b", "a"):
        recorder.notices.emit("LocalProxyError", message=message)
    assert recorder.data == [
        {"message": "a"},
        {"message": "a", "repeats": 1},
        {"message": "b"},
        {"message": "a"},
    ]


def test_some_things_are_said_once() -> None:
    recorder = Recorder()
    for reason in ("a", "b", "a", "b"):
        recorder.notices.emit("SkipServerEntry", reason=reason)
    assert recorder.data == [{"reason": "a"}, {"reason": "b"}]


def test_memory_for_once_only_notices_is_bounded() -> None:
    recorder = Recorder()
    for number in range(1001):
        recorder.notices.emit("SkipServerEntry", reason=str(number))
    recorder.notices.emit("SkipServerEntry", reason="1000")
    recorder.notices.emit("SkipServerEntry", reason="0")
    assert recorder.data[-2:] == [{"reason": "1000"}, {"reason": "0"}]


def test_other_types_repeat_freely() -> None:
    recorder = Recorder()
    recorder.notices.emit("Tunnels", count=0)
    recorder.notices.emit("Tunnels", count=0)
    assert len(recorder.data) == 2


def test_unknown_types_are_a_mistake_of_ours() -> None:
    with pytest.raises(LocalProtocolError, match="Tunnel is no type of notice"):
        Recorder().notices.emit("Tunnel")


def test_listeners_hear_what_is_not_shown_but_no_network_parameters() -> None:
    recorder = Recorder(NoticeOptions(network_parameters=True))
    heard: list[tuple[str, object]] = []
    recorder.notices.listen(lambda name, data: heard.append((name, dict(data))))
    recorder.notices.emit("ConnectingServer", {"OSSHPrefix": "HTTP"}, **ATTEMPT)
    recorder.notices.emit("Tunnels", count=1)
    assert heard == [("ConnectingServer", ATTEMPT), ("Tunnels", {"count": 1})]
    assert recorder.data == [{"count": 1}]


def test_listeners_do_not_hear_what_is_said_again() -> None:
    recorder = Recorder()
    heard: list[tuple[str, object]] = []
    recorder.notices.listen(lambda name, data: heard.append((name, dict(data))))
    for _ in range(3):
        recorder.notices.emit("AvailableEgressRegions", regions=["NL"])
        recorder.notices.emit("SkipServerEntry", reason="a")
        recorder.notices.emit("LocalProxyError", message="b")
    assert heard == [
        ("AvailableEgressRegions", {"regions": ["NL"]}),
        ("SkipServerEntry", {"reason": "a"}),
        ("LocalProxyError", {"message": "b"}),
        ("LocalProxyError", {"message": "b", "repeats": 1}),
    ]


def test_options_from_a_configuration() -> None:
    config = ClientConfig(
        propagation_channel_id="F",
        sponsor_id="F",
        emit_diagnostic_notices=True,
        emit_diagnostic_network_parameters=True,
        emit_bytes_transferred=True,
        emit_client_address=True,
        emit_server_alerts=True,
    )
    assert NoticeOptions.from_config(config) == ALL
    plain = ClientConfig(propagation_channel_id="F", sponsor_id="F")
    assert NoticeOptions.from_config(plain, human=True) == NoticeOptions(human=True)
    assert NoticeOptions.from_config(plain, errors=True) == NoticeOptions(errors=True)


def test_a_full_disk_costs_notices_and_nothing_else() -> None:
    stream = open("/dev/full", "w", encoding="utf-8")
    notices = Notices(stream, SYSTEM_CLOCK)
    for count in range(1000):
        notices.emit("Tunnels", count=count)
    with pytest.raises(OSError, match="No space"):
        stream.close()
