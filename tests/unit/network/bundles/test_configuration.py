"""What is built into clients: of whom, which servers, which keys, and where lists are."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.stopped_clock import StoppedClock
from tests.unit.network.bundles.made import first_bundle, material_of
from tests.unit.network.networks import NOW

from headrace.base.errors import OperatorError
from headrace.base.rng import SYSTEM_RNG
from headrace.crypto.signing import VerifyingKey
from headrace.documents.client_config import read_client_config
from headrace.documents.entry_signature import verify_entry
from headrace.documents.server_entry import ServerEntry
from headrace.documents.transfer_urls import TransferURLs
from headrace.network.book import Book
from headrace.network.bundles.configuration import BundleRecord, bundle_record, newest
from headrace.network.custody import add_key, retire_key
from headrace.network.exports.classified import misclassified
from headrace.network.exports.forbidden import forbidden_values, leaks
from headrace.network.model import Audience, Campaign, Server
from headrace.network.publish.sources.lists import COMPRESSED_NAME
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import make_key


def fields_of(book: Book) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(first_bundle(book))
    return fields


def urls(fields: dict[str, Any], name: str) -> list[tuple[str, int]]:
    return [(each.url, each.only_after_attempts) for each in TransferURLs.from_fields(fields[name])]


def set_buckets(book: Book, first: str, second: str) -> None:
    with book.change("ann", "buckets") as change:
        channel = change.channel("channel-0")
        (campaign,) = change.all(Campaign, Campaign.channel_id == channel.id)
        campaign.bucket_id, campaign.alternate_bucket_id = first, second


def test_nothing_in_a_bundle_is_made_of_what_clients_may_not_see() -> None:
    assert misclassified(BundleRecord, Audience.CLIENT) == []


def test_no_value_of_the_network_that_is_not_for_clients_is_in_a_bundle(book: Book) -> None:
    data = first_bundle(book)
    with book.view() as view:
        told = view.servers(Server.is_permanent.is_(True))
        forbidden = forbidden_values(view, Audience.CLIENT, (), told=told)
        untold = view.servers(Server.is_embedded.is_(True))[0].address
    assert untold in forbidden
    assert leaks(data, forbidden) == []


def test_a_client_reads_it_and_knows_every_field(book: Book) -> None:
    config = read_client_config(first_bundle(book))
    with book.view() as view:
        assert config.propagation_channel_id == view.channel("channel-0").public_id
        assert config.sponsor_id == view.sponsor("sponsor-0").public_id
    assert config.remote_server_lists is not None
    assert config.obfuscated_server_list_roots is not None
    assert set(config.unknown_fields) <= {"ExchangeObfuscationKey"}


def test_permanent_servers_of_the_channel_and_a_sample_of_others_are_built_in(book: Book) -> None:
    with book.change("ann", "sample") as change:
        change.settings.embedded_sample = 1
        own = change.all(
            Server, Server.is_permanent.is_(True), Server.channel_id == change.channel("channel-0").id
        )
        expected = {server.address for server in own}
    lines = fields_of(book)["EmbeddedServerEntryList"]
    found = {ServerEntry.decode(line).ip_address for line in lines}
    assert expected < found
    assert len(found) == len(expected) + 1


def test_without_a_permanent_server_there_is_nothing_to_build(book: Book) -> None:
    with book.change("ann", "none") as change:
        for server in change.servers(Server.is_permanent.is_(True)):
            server.is_permanent = False
    with pytest.raises(OperatorError, match="no server is to be built into clients of channel-0"):
        first_bundle(book)


def test_chosen_servers_may_be_built_in_instead(book: Book) -> None:
    with book.view() as view:
        chosen = view.servers(Server.is_embedded.is_(True))[:1]
        record, _ = bundle_record(material_of(view), view.all(Campaign)[0], chosen)
        assert [ServerEntry.decode(line).ip_address for line in record.EmbeddedServerEntryList] == [
            chosen[0].address
        ]


def test_lists_are_in_the_bucket_below_each_url_by_which_users_reach_the_store(book: Book) -> None:
    set_buckets(book, "k3/first", "")
    with book.change("ann", "urls") as change:
        change.settings.public_urls = ["https://one.example/a/", "https://two.example"]
    fields = fields_of(book)
    assert urls(fields, "RemoteServerListURLs") == [
        (f"https://one.example/a/k3/first/{COMPRESSED_NAME}", 0),
        (f"https://two.example/k3/first/{COMPRESSED_NAME}", 0),
    ]
    assert urls(fields, "ObfuscatedServerListRootURLs")[1] == ("https://two.example/k3/first/osl", 0)


def test_the_alternate_bucket_has_its_turn_after_a_failure(book: Book) -> None:
    set_buckets(book, "k3/first", "zz/other")
    assert urls(fields_of(book), "ObfuscatedServerListRootURLs") == [
        ("https://storage.example/bucket/k3/first/osl", 0),
        ("https://storage.example/bucket/zz/other/osl", 1),
    ]


def test_certificates_of_stores_are_checked(book: Book) -> None:
    assert [each["SkipVerify"] for each in fields_of(book)["RemoteServerListURLs"]] == [False]


def test_without_public_urls_there_are_no_lists(book: Book) -> None:
    with book.change("ann", "none") as change:
        change.settings.public_urls = []
    assert "RemoteServerListURLs" not in fields_of(book)


def test_what_operators_set_for_clients_lies_over_the_rest(book: Book) -> None:
    with book.change("ann", "settings") as change:
        change.settings.client_settings = {"EgressRegion": "SE", "ExchangeObfuscationKey": "another"}
    fields = fields_of(book)
    assert (fields["EgressRegion"], fields["ExchangeObfuscationKey"]) == ("SE", "another")


def test_feedback_goes_where_the_settings_say_sealed_with_the_networks_key(book: Book) -> None:
    url = {"URL": "aHR0cHM6Ly91cGxvYWQuZXhhbXBsZS8=", "RequestHeaders": {"x-acl": "private"}}
    with book.change("ann", "feedback") as change:
        change.settings.feedback_upload_urls = [url]
        key = add_key(change, make_key(Purpose.FEEDBACK, SYSTEM_RNG, bits=2048))
        public = key.public
    fields = fields_of(book)
    assert (fields["FeedbackUploadURLs"], fields["FeedbackEncryptionPublicKey"]) == ([url], public)


def test_a_new_build_has_the_newest_keys_and_the_folder_of_their_copy(book: Book) -> None:
    before = fields_of(book)
    rotate(book)
    after = fields_of(book)
    (plain, _), (folder, _) = (urls(fields, "RemoteServerListURLs")[0] for fields in (before, after))
    assert folder.removesuffix(COMPRESSED_NAME).startswith(plain.removesuffix(COMPRESSED_NAME))
    assert folder != plain
    old, new = (VerifyingKey.from_text(each["ServerEntrySignaturePublicKey"]) for each in (before, after))
    assert old.raw != new.raw
    for line in after["EmbeddedServerEntryList"]:
        verify_entry(ServerEntry.decode(line).fields, new)
    assert after["RemoteServerListSignaturePublicKey"] == before["RemoteServerListSignaturePublicKey"]


def test_the_folder_stays_when_the_old_key_has_gone(book: Book) -> None:
    rotate(book)
    during = fields_of(book)
    later(book)
    with book.change("ann", "retire") as change:
        retire_key(change, change.keys(Purpose.ENTRIES)[0])
    after = fields_of(book)
    assert after["RemoteServerListURLs"] == during["RemoteServerListURLs"]
    assert after["ServerEntrySignaturePublicKey"] == during["ServerEntrySignaturePublicKey"]


def test_a_network_that_signs_no_entries_has_no_key_for_them(book: Book) -> None:
    with book.write() as session:
        for key in session.query(type(newest_key(book))).filter_by(purpose=Purpose.ENTRIES):
            session.delete(key)
        session.commit()
    fields = fields_of(book)
    assert "ServerEntrySignaturePublicKey" not in fields
    assert "signature" not in ServerEntry.decode(fields["EmbeddedServerEntryList"][0]).fields


def test_the_newest_copy_is_the_one_that_is_signed_with_the_newest_keys(book: Book) -> None:
    rotate(book)
    with book.view() as view:
        copy = newest(material_of(view))
        assert copy.entry_signer is not None
        assert copy.entry_signer.key_id == view.keys(Purpose.ENTRIES)[-1].key_id
        assert copy.folder


def newest_key(book: Book) -> Any:
    with book.view() as view:
        return view.keys(Purpose.LISTS)[-1]


def later(book: Book) -> None:
    assert isinstance(book.clock, StoppedClock)
    book.clock.now += timedelta(days=200).total_seconds()


def rotate(book: Book) -> None:
    later(book)
    assert book.clock.time() > NOW
    with book.change("ann", "rotate") as change:
        add_key(change, make_key(Purpose.ENTRIES, SYSTEM_RNG))
