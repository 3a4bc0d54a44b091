"""requests through the tunnel. Importing this loads requests."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from headrace.embed.urllib3_pools import Connect, make_pool_manager

__all__ = ["TunnelAdapter"]


class TunnelAdapter(HTTPAdapter):
    """requests' own adapter on connections that `connect` makes."""

    def __init__(self, connect: Connect, **settings: Any) -> None:
        self._connect = connect
        super().__init__(**settings)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        settings = {"num_pools": connections, "maxsize": maxsize, "block": block, **pool_kwargs}
        self.poolmanager = make_pool_manager(self._connect, **settings)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **settings: Any) -> requests.Response:
        # A proxy of the environment is for those who connect from this machine.
        return super().send(request, *arguments, **{**settings, "proxies": None})
