"""Which secrets entities have, and who gets to know them besides the management (operations spec §1.5, 1.9).

Forms: meek and tactics keys but the obfuscation keywords are base64, keywords and passwords hexadecimal, the
SSH key PEM, in-proxy keys base64 without padding.
"""

from typing import Final

from headrace.network.model.base import Audience, Base
from headrace.network.model.hosts import Host, Provider
from headrace.network.model.keys import NetworkKey
from headrace.network.model.servers import Server
from headrace.network.model.settings import NetworkSettings
from headrace.network.model.sponsors import Campaign

_HOST = frozenset({Audience.HOST})
_HOST_AND_CLIENT = frozenset({Audience.HOST, Audience.CLIENT})
_NOBODY: frozenset[Audience] = frozenset()


SECRETS: Final[dict[type[Base], dict[str, frozenset[Audience]]]] = {
    Server: {
        "ssh_username": _HOST_AND_CLIENT,
        "ssh_password": _HOST_AND_CLIENT,
        "ssh_private_key": _HOST,
        "obfuscation_key": _HOST_AND_CLIENT,
        "shadowsocks_key": _HOST_AND_CLIENT,
        "web_secret": _HOST_AND_CLIENT,
    },
    Host: {
        "meek_obfuscation_key": _HOST_AND_CLIENT,
        "meek_cookie_private_key": _HOST,
        "tactics_request_private_key": _HOST,
        "tactics_request_obfuscation_key": _HOST_AND_CLIENT,
        "inproxy_session_private_key": _HOST,
        "inproxy_session_root_obfuscation_secret": _HOST_AND_CLIENT,
        "management_credential": frozenset({Audience.DEVOPS}),
        "log_credential": frozenset({Audience.STATISTICS}),
        "console": _NOBODY,
    },
    Provider: {"credentials": _NOBODY},
    Campaign: {"credentials": _NOBODY},
    NetworkKey: {"private": _NOBODY, "shared": _HOST},  # shared: with all servers, which cannot do without it
    NetworkSettings: {
        "store_access_key": _NOBODY,
        "store_secret_key": _NOBODY,
        "sample_key": _NOBODY,
    },
}


def secret_audiences(kind: type[Base], name: str) -> frozenset[Audience]:
    """Return who gets a secret. Raises KeyError for one that such an entity does not have."""
    return SECRETS[kind][name]
