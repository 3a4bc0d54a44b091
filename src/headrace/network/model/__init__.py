"""The network as it is meant to be: entities, what they may look like, and their secrets.

Each column says who may see it (`column`): what an extract holds is checked against that. Rows are not
deleted: what is gone keeps its name, so that it is never used again.
"""

from headrace.network.model.base import Audience, Base, Entity, audiences, shapes_entries
from headrace.network.model.channels import TESTING, PropagationChannel
from headrace.network.model.hosts import LOCAL, Host, Provider, ProviderRank, Status
from headrace.network.model.keys import NetworkKey
from headrace.network.model.records import AuditEvent, ImportedSignature, Meta, Published, SealedSecrets
from headrace.network.model.secrets import SECRETS, secret_audiences
from headrace.network.model.servers import Server
from headrace.network.model.settings import ClientVersion, NetworkSettings
from headrace.network.model.sponsors import EVERYWHERE, Campaign, Sponsor

__all__ = [
    "EVERYWHERE",
    "LOCAL",
    "SECRETS",
    "TESTING",
    "Audience",
    "AuditEvent",
    "Base",
    "Campaign",
    "ClientVersion",
    "Entity",
    "Host",
    "ImportedSignature",
    "Meta",
    "NetworkKey",
    "NetworkSettings",
    "PropagationChannel",
    "Provider",
    "ProviderRank",
    "Published",
    "SealedSecrets",
    "Server",
    "Sponsor",
    "Status",
    "audiences",
    "secret_audiences",
    "shapes_entries",
]
