"""What a log-in says, in all its forms. Who is let in is in test_session.py."""

import json

import pytest

from headrace.server.login import Login, read_login

ID = "0123456789abcdef" * 2


def written(**changes: object) -> str:
    members = {
        "SessionId": ID,
        "SshPassword": "word",
        "ClientCapabilities": ["server-requests"],
        "SponsorId": "F",
    }
    return json.dumps({**members, **changes})


@pytest.mark.parametrize(
    ("text", "login"),
    [
        (written(), Login("word", ID, True)),
        (written(SessionId=ID.upper()), Login("word", ID.upper(), True)),
        (written(ClientCapabilities=["other", "server-requests"]), Login("word", ID, True)),
        (written(ClientCapabilities=[]), Login("word", ID)),
        (written(ClientCapabilities=["server-requests", "shaping-1"]), Login("word", ID, True, True)),
        (written(ClientCapabilities=["shaping-1"]), Login("word", ID, shaping=True)),
        (written(ClientCapabilities=None), Login("word", ID)),
        (written(ClientCapabilities="server-requests"), Login("word", ID)),
        (written(ClientCapabilities={"server-requests": 1}), Login("word", ID)),
        (written(ClientCapabilities=[["server-requests"]]), Login("word", ID)),
        (written(SessionId=""), Login("word", "", True)),
        (written(SessionId=ID + "0"), Login("word", "", True)),
        (written(SessionId=ID[:-1] + "g"), Login("word", "", True)),
        (written(SessionId=7), Login("word", "", True)),
        (written(SshPassword=None), Login("", ID, True)),
        ("{}", Login()),
        ("{", Login()),
        ('{"a":' + "[" * 100_000, Login()),
        (ID + "word", Login("word", ID)),
        (ID, Login("", ID)),
        (ID.upper() + "word", Login()),
        (ID[:-1], Login()),
        ("", Login()),
    ],
)
def test_forms(text: str, login: Login) -> None:
    assert read_login(text) == login


def test_repr_keeps_the_secret() -> None:
    assert repr(Login("word", ID, True)) == "Login(server_requests=True)"
