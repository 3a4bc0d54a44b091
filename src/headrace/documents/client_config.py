"""The client's configuration file, compatible with deployed ones (client spec §6.1).

Fields this program has no use for are collected in `unknown_fields`, never refused: real files carry old
ones.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents.additional_parameters import read_additional_parameters
from headrace.documents.client_config_checks import check_client_config
from headrace.documents.client_config_fields import ClientConfig, ClientRateLimits, NoticeFileSettings
from headrace.documents.config_reader import convert_config, fold, fold_deep, read_object

__all__ = ["ClientConfig", "ClientRateLimits", "NoticeFileSettings", "read_client_config"]

_NAMES = [field.encode_name for field in msgspec.structs.fields(ClientConfig) if field.encode_name]


def _plain_url(url: object) -> object:
    """Return the form that lists of URLs have for a URL that is written as it is."""
    return {"URL": base64.b64encode(url.encode()).decode()} if isinstance(url, str) else url


def _as_it_is(value: object) -> object:
    return value


def _one_in_a_list(value: object) -> object:
    return [value]


def _one_url_in_a_list(value: object) -> object:
    return [_plain_url(value)]


#: Fields of older files: today's field, and how its value is made of the old one's.
_LEGACY: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "TunnelProtocol": ("LimitTunnelProtocols", _one_in_a_list),
    "RemoteServerListUrl": ("RemoteServerListURLs", _one_url_in_a_list),
    "ObfuscatedServerListRootURL": ("ObfuscatedServerListRootURLs", _one_url_in_a_list),
    "UpstreamProxyCustomHeaders": ("CustomHeaders", _as_it_is),
    "DataStoreDirectory": ("MigrateDataStoreDirectory", _as_it_is),
    "RemoteServerListDownloadFilename": ("MigrateRemoteServerListDownloadFilename", _as_it_is),
    "ObfuscatedServerListDownloadDirectory": ("MigrateObfuscatedServerListDownloadDirectory", _as_it_is),
    "UpgradeDownloadFilename": ("MigrateUpgradeDownloadFilename", _as_it_is),
}


def _fields(fields: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Return the fields there are under today's official names, and the others."""
    known, unknown = fold(fields, [*_NAMES, *_LEGACY])
    for name, (new_name, promote) in _LEGACY.items():
        legacy = known.pop(name, None)
        if legacy and new_name not in known:
            known[new_name] = promote(legacy)
    return known, unknown


def read_client_config(
    data: bytes, file: str = "configuration", overrides: Mapping[str, object] | None = None
) -> ClientConfig:
    """Return the configuration in `data`, read from `file`. Raises DocumentError.

    `overrides` are fields from the command line; they win over the file's, and over those that are sealed in
    the file's AdditionalParameters.
    """
    known, unknown = _fields(read_object(data, file))
    if sealed := known.get("AdditionalParameters"):
        try:
            more, more_unknown = _fields(read_additional_parameters(str(sealed)))
        except DocumentError as error:
            raise DocumentError(f"{file}: AdditionalParameters: {error}") from error
        known, unknown = {**known, **more}, {**unknown, **more_unknown}
    over, over_unknown = _fields(overrides or {})
    known, unknown = {**known, **over}, {**unknown, **over_unknown}
    for name in ("PropagationChannelId", "SponsorId"):
        if not known.get(name):
            raise DocumentError(
                f"{file}: {name} is missing: add the value you were given, or FFFFFFFFFFFFFFFF for testing"
            )
    folded, _ = fold_deep(known, ClientConfig)
    config = convert_config(folded, ClientConfig, file)
    check_client_config(config, file)
    return msgspec.structs.replace(config, unknown_fields=sorted(unknown))
