"""The psinet database: any file answers every question or is refused with a DocumentError that names it."""

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.psinet import Audience, read_psinet

_AUDIENCES = (
    Audience(sponsor_id="A"),
    Audience.of({"sponsor_id": "B", "client_platform": "Android", "device_region": "\udcff"}, "NL", "64496"),
)

SEEDS = [
    (
        b'{"sponsors":{"A":{"home_pages":{"None":[{"region":"None","url":"https://a/?client_region=XX"}]},'
        b'"mobile_home_pages":{},"alert_action_urls":{"r":["https://a/"]},"https_request_regexes":[{"regex":"a",'
        b'"replace":"b"}]}},"client_versions":{"Android":[{"version":"2"}]},"default_sponsor_id":"A",'
        b'"default_alert_action_urls":{"r":["https://d/"]},"valid_server_entry_tags":{"t":true},'
        b'"discovery_servers":[{"discovery_date_range":["2026-01-01T00:00:00Z","2026-02-01T00:00:00Z"],'
        b'"encoded_server_entry":"30203020302030207b22697041646472657373223a223139322e302e322e31227d"}]}'
    ),
]


def fuzz(data: bytes) -> None:
    """`data` is the file."""
    try:
        psinet = read_psinet(data, "fuzzed.json", 0.0)
    except DocumentError as error:
        assert str(error).startswith("fuzzed.json: ")
        return
    for audience in _AUDIENCES:
        urls = psinet.home_pages(audience, SeededRng(1)) + psinet.alert_urls("r", audience)
        assert all(isinstance(url, str) for url in urls)
        regexes, checksum = psinet.https_request_regexes(audience.sponsor_id)
        assert len(checksum) in (0, 16) and (checksum or not regexes)
        assert psinet.upgrade("1", audience.platform) in ("", psinet.upgrade("0", audience.platform))
    assert psinet.is_valid_tag("t", 49 * 3600.0)
    assert len({server.address for server in psinet.discovery_servers}) == len(psinet.discovery_servers)
