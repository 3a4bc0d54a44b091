"""The HTTP proxy's own pages; how they are asked for is in `test_local_pages`."""

import pytest

from headrace.client.own_pages import own_page
from headrace.client.own_site import OwnSite

SITE = OwnSite("[::1]", 8080)


@pytest.mark.parametrize("path", ["/", "/proxy.pac", "/wpad.dat"])
def test_each_names_the_proxies_where_they_were_found(path: str) -> None:
    page = own_page(path, SITE, 1080)
    assert page is not None
    assert "[::1]:8080" in page.text and "[::1]:1080" in page.text
    alone = own_page(path, SITE, None)
    assert alone is not None
    assert "1080" not in alone.text


@pytest.mark.parametrize("path", ["", "/proxy", "/wpad", "/proxy.pac/", "/tunneled/"])
def test_there_are_no_others(path: str) -> None:
    assert own_page(path, SITE, 1080) is None
