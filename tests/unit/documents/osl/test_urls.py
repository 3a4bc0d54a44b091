"""Where lists are; the network's own examples are in tests/vectors/test_osl.py."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.osl.urls import REGISTRY_NAME, file_name, file_url, registry_url


@pytest.mark.parametrize(
    ("root", "url"),
    [
        ("https://h", "https://h/osl-registry"),
        ("https://h//a///b//", "https://h/a/b/osl-registry"),
        ("https://h/../../a/./b", "https://h/a/b/osl-registry"),
        ("https://u:p@h:8443/a?x=1&y=%2F#f", "https://u:p@h:8443/a/osl-registry?x=1&y=%2F#f"),
        ("https://h/a%20b/%C3%A9", "https://h/a%20b/%C3%A9/osl-registry"),
        ("https://h/%FF", "https://h/%FF/osl-registry"),
        ("https://h/a+b,c;d:e@f=g&h$~", "https://h/a+b,c;d:e@f=g&h$~/osl-registry"),
        ("https://[2001:db8::1]:80/x", "https://[2001:db8::1]:80/x/osl-registry"),
    ],
)
def test_registry(root: str, url: str) -> None:
    assert registry_url(root) == url


def test_files() -> None:
    assert file_name(b"\x0f\xa0") == "osl-0fa0"
    assert file_url("https://h/osl", b"\x0f\xa0") == "https://h/osl/osl-0fa0"
    assert REGISTRY_NAME == "osl-registry"


def test_what_is_no_url() -> None:
    with pytest.raises(DocumentError, match="no URL"):
        registry_url("https://[h")
