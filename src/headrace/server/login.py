"""What a client says of itself where SSH has a password (tunnel spec §4).

{"SessionId": <32 hex digits>, "SshPassword": …, "ClientCapabilities": ["server-requests", …], …}
<32 hex digits><password>                                                    the old form
"""

import json
import re
from typing import Final, NamedTuple

from headrace.ssh.shaping import CAPABILITY as SHAPING

__all__ = ["Login", "read_login"]

_OLD_FORM: Final = re.compile(r"[0-9a-f]{32}")
_SESSION_ID: Final = re.compile(r"[0-9a-fA-F]{32}")


class Login(NamedTuple):
    """The parts, each empty unless it is there and makes sense. Only the password is verified, by others."""

    password: str = ""
    session_id: str = ""  #: random, the same for all tunnels of one run of a client
    server_requests: bool = False  #: the client wants to be asked
    shaping: bool = False  #: the client can shape its port forwards with us

    def __repr__(self) -> str:
        return f"Login(server_requests={self.server_requests})"  # the rest is secret, or tells clients apart


def read_login(text: str) -> Login:
    """Return what `text` says: anything else than one of the forms says nothing."""
    if not text.startswith("{"):
        return Login(text[32:], text[:32]) if _OLD_FORM.match(text) else Login()
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return Login()
    password, session_id = members.get("SshPassword"), members.get("SessionId")
    listed = members.get("ClientCapabilities")
    capabilities = listed if isinstance(listed, list) else []
    return Login(
        password if isinstance(password, str) else "",
        session_id if isinstance(session_id, str) and _SESSION_ID.fullmatch(session_id) else "",
        "server-requests" in capabilities,
        SHAPING in capabilities,
    )
