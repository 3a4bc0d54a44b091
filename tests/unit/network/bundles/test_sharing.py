"""A bundle as a link and a QR code: which servers are in it, and when it does not fit."""

import json
import subprocess
import sys
import xml.etree.ElementTree
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.network.bundles.made import changed

from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG, SeededRng
from headrace.documents.access_link import LINK_FIELDS, LinkExpired, read_link
from headrace.documents.entry_fields import encode_fields
from headrace.network.bundles.sharing import MOST_IN_QR, fitting, qr_picture, qr_text, share

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
ENTRIES = "EmbeddedServerEntryList"


def with_servers(data: bytes, count: int) -> bytes:
    """Return a bundle with so many servers; they are not signed."""
    rng = SeededRng(count)
    lines = [
        encode_fields({"ipAddress": f"198.18.7.{number}", "webServerSecret": rng.bytes(32).hex()})
        for number in range(count)
    ]
    return changed(data, **{ENTRIES: lines})


def servers_in(link: str) -> list[str]:
    lines: list[str] = read_link(link, NOW).configuration[ENTRIES]
    return lines


def test_a_link_holds_the_whole_bundle(bundle_data: bytes) -> None:
    shared = share(bundle_data)
    assert dict(read_link(shared.link, NOW).configuration) == json.loads(bundle_data)
    assert (shared.servers, shared.left_out) == (4, 0)


def test_what_is_a_matter_of_each_machine_stays_behind(bundle_data: bytes) -> None:
    data = changed(bundle_data, LocalHttpProxyPort=8080, EgressRegion="SE")
    found = read_link(share(data).link, NOW).configuration
    assert "LocalHttpProxyPort" not in found
    assert found["EgressRegion"] == "SE"
    assert found.keys() <= LINK_FIELDS


def test_a_link_is_good_until_it_expires(bundle_data: bytes) -> None:
    link = share(bundle_data, NOW + timedelta(days=7), "from a friend").link
    assert read_link(link, NOW).label == "from a friend"
    with pytest.raises(LinkExpired):
        read_link(link, NOW + timedelta(days=7))


def test_a_label_that_is_none_is_refused(bundle_data: bytes) -> None:
    with pytest.raises(DocumentError, match="label"):
        share(bundle_data, label="two\nlines")


def test_a_link_may_tell_of_fewer_servers(bundle_data: bytes) -> None:
    shared = share(bundle_data, servers=3)
    assert (shared.servers, shared.left_out) == (3, 1)
    assert servers_in(shared.link) == json.loads(bundle_data)[ENTRIES][:3]


def test_asked_for_more_servers_than_there_are_it_tells_of_all(bundle_data: bytes) -> None:
    assert share(bundle_data, servers=99) == share(bundle_data)


def test_all_servers_go_in_as_long_as_they_fit(bundle_data: bytes) -> None:
    assert fitting(bundle_data) == share(bundle_data)


def test_as_many_servers_as_a_qr_code_holds_and_not_one_more(bundle_data: bytes) -> None:
    data = with_servers(bundle_data, 100)
    shared = fitting(data)
    assert shared.servers + shared.left_out == 100
    assert 1 <= shared.servers < 100
    assert len(shared.link) <= MOST_IN_QR < len(share(data, servers=shared.servers + 1).link)
    assert len(servers_in(shared.link)) == shared.servers


def test_an_expiry_and_a_label_are_counted_in(bundle_data: bytes) -> None:
    data = with_servers(bundle_data, 100)
    shared = fitting(data, NOW, "x" * 100)
    assert len(shared.link) <= MOST_IN_QR
    assert shared.servers <= fitting(data).servers


def test_where_not_even_one_server_fits_it_is_said(bundle_data: bytes) -> None:
    data = changed(bundle_data, LimitTunnelProtocols=[SYSTEM_RNG.bytes(3000).hex()])
    with pytest.raises(OperatorError, match="not even one server of this bundle fits into a QR code"):
        fitting(data)


def test_the_longest_link_that_is_said_to_fit_does(bundle_data: bytes) -> None:
    assert qr_text("x" * MOST_IN_QR)
    with pytest.raises(OperatorError, match="2,954 characters, more than the 2,953 of a QR code"):
        qr_text("x" * (MOST_IN_QR + 1))


def test_a_terminal_shows_a_square_with_two_rows_in_a_line(bundle_data: bytes) -> None:
    lines = qr_text(fitting(bundle_data).link).splitlines()
    (width,) = {len(line) for line in lines}
    assert len(lines) == (width + 1) // 2


def test_pictures_are_what_they_are_called(bundle_data: bytes) -> None:
    link = fitting(bundle_data).link
    assert qr_picture(link, "png").startswith(b"\x89PNG\r\n\x1a\n")
    assert xml.etree.ElementTree.fromstring(qr_picture(link, "svg")).tag.endswith("svg")
    assert qr_picture(link, "png") != qr_picture("another", "png")


def test_pictures_of_too_much_are_refused(bundle_data: bytes) -> None:
    with pytest.raises(OperatorError, match="share fewer servers"):
        qr_picture("x" * 3000, "svg")


def test_the_qr_library_is_loaded_only_where_a_code_is_made() -> None:
    script = "import headrace.network.bundles.sharing, sys; sys.exit('segno' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
