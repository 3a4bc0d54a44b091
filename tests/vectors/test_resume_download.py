"""Resumable downloads against what the deployed client does: requests, files left behind, outcomes."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.web_server import Answer, Asked, Then, WebServer, response, serve

from headrace.base.errors import HeadraceError
from headrace.net.fetch import DownloadFailed, resume_download
from headrace.net.http import HttpClient, direct

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "resume_download.json").read_text())[
    "cases"
]


def server_of(case: dict[str, Any]) -> WebServer:
    given = case["response"]
    body, cut = given["body"].encode(), given["bodyTruncatedAfter"]
    headers = [("ETag", given["ETag"])] if given["ETag"] else []
    data = response(given["status"], body[:cut] if cut else body, headers, length=len(body))
    return WebServer(lambda asked: Answer(data, Then.CLOSE))


def described(asked: Asked) -> dict[str, object]:
    """Return a request as the vectors have it; what frames it is not part of that."""
    return {
        "method": asked.method,
        "headers": {name: value for name, value in asked.headers if name != "Host"},
    }


@pytest.mark.parametrize("as_deployed", [False, True], ids=["ours", "as deployed"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_resume_download(case: dict[str, Any], as_deployed: bool, tmp_path: Path) -> None:
    for name, text in case["filesBefore"].items():
        (tmp_path / name).write_text(text)
    server = server_of(case)
    etag, received = "", 0
    async with serve(server) as port, HttpClient(direct) as client:
        try:
            download = await resume_download(
                client,
                f"http://127.0.0.1:{port}/list",
                tmp_path / "destination",
                user_agent=case["userAgent"],
                if_none_match=case["ifNoneMatchETag"],
                timeout=10,
                as_deployed=as_deployed,
            )
        except HeadraceError as error:
            assert not case["ok"], error
            assert isinstance(error, DownloadFailed)
            received = error.bytes_received
        else:
            assert case["ok"]
            etag, received = download.etag, download.bytes_received
    assert [described(asked) for asked in server.asked] == [case["request"]] * bool(case["request"])
    assert etag == case["returnedETag"]
    assert received == case["bytesReported"]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == case["filesAfter"]
