"""The configuration of a client in another program: from whatever the program has it in."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from headrace.base.errors import DocumentError, OperatorError
from headrace.documents.client_config import ClientConfig, read_client_config

__all__ = ["Config", "read_config"]

#: A configuration: read already, as a mapping or JSON text of its fields, or the path of a file.
Config = ClientConfig | Mapping[str, object] | str | os.PathLike[str]

#: The program asks for connections itself.
_NO_PROXIES: Final = {"DisableLocalSocksProxy": True, "DisableLocalHTTPProxy": True}


def read_config(config: Config) -> ClientConfig:
    """Return the configuration, without local proxies. A text that begins with `{` is JSON, any other a path.

    Raises DocumentError, or OperatorError if the file cannot be read.
    """
    if isinstance(config, ClientConfig):
        return msgspec.structs.replace(config, disable_local_socks_proxy=True, disable_local_http_proxy=True)
    if isinstance(config, Mapping):
        try:
            text = json.dumps(dict(config))
        except (TypeError, ValueError) as error:
            raise DocumentError("configuration: it holds what JSON cannot express") from error
        return read_client_config(text.encode(), overrides=_NO_PROXIES)
    if isinstance(config, str) and config.lstrip().startswith("{"):
        return read_client_config(config.encode(), overrides=_NO_PROXIES)
    if not isinstance(config, str | os.PathLike):
        raise TypeError("a configuration is a mapping, JSON text or the path of a file")
    path = Path(config)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"the configuration {path} cannot be read: {error.strerror}") from error
    return read_client_config(data, str(path), _NO_PROXIES)
