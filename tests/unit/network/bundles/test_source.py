"""The folders of campaigns as publications fill them, and when they are filled anew."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.network.bundles.made import first_bundle

from headrace import __version__
from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG
from headrace.documents.access_link import read_link
from headrace.network.book import Book
from headrace.network.bundles.archive import Base
from headrace.network.bundles.sharing import MOST_IN_QR
from headrace.network.bundles.source import (
    BUNDLE_FILE,
    LINK_FILE,
    SOURCE,
    archive_name,
    bundle_source,
)
from headrace.network.custody import add_key, retire_key
from headrace.network.lifecycle.brands import add_campaign
from headrace.network.model import Campaign, Server
from headrace.network.publish.kinds import Kind
from headrace.network.publish.outcome import Outcome
from headrace.network.publish.places import Places
from headrace.network.publish.plan import Plan
from headrace.network.publish.publishing import plan_for, publish
from headrace.network.publish.sources import Source
from headrace.network.publish.stores.directory import DirectoryStore
from headrace.network.rendering.network import NetworkRendering
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import make_key

NOW = datetime(2027, 1, 15, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where bundles go."""
    return tmp_path / "bundles"


@pytest.fixture
def published(book: Book, root: Path) -> Iterator[Book]:
    """The network with all its bundles published."""
    outcome = publish_to(book, root)
    assert (outcome.failed, outcome.published) == ([], 2)
    yield book


def publish_to(book: Book, root: Path, source: Source = SOURCE) -> Outcome:
    return publish(book, NetworkRendering, Places(bundles=DirectoryStore(root)), sources=(source,), workers=1)


def plan_of(book: Book, source: Source = SOURCE) -> Plan:
    with book.view() as view:
        return plan_for(view, NetworkRendering(view), (source,))


def bucket_of(book: Book, channel: str = "channel-0") -> str:
    with book.view() as view:
        (campaign,) = view.all(Campaign, Campaign.channel_id == view.channel(channel).id)
        return campaign.bucket_id


def changed_parts(book: Book) -> set[str]:
    return {part for item in plan_of(book) for part in item.changed}


def test_each_campaign_has_a_folder_with_its_bundle_and_a_link(published: Book, root: Path) -> None:
    folder = root / bucket_of(published)
    assert sorted(path.name for path in folder.iterdir()) == [BUNDLE_FILE, LINK_FILE]
    assert (folder / BUNDLE_FILE).read_bytes() == first_bundle(published)
    assert (root / bucket_of(published, "channel-1") / BUNDLE_FILE).exists()


def test_the_link_says_what_the_bundle_says(published: Book, root: Path) -> None:
    folder = root / bucket_of(published)
    text = (folder / LINK_FILE).read_text()
    assert len(text.strip()) <= MOST_IN_QR
    assert dict(read_link(text, NOW).configuration) == json.loads((folder / BUNDLE_FILE).read_bytes())


def test_a_link_that_no_qr_code_holds_tells_of_one_server(book: Book, root: Path) -> None:
    with book.change("ann", "long") as change:
        change.settings.public_urls = [f"https://{SYSTEM_RNG.bytes(60).hex()}.example/" for _ in range(60)]
    publish_to(book, root)
    text = (root / bucket_of(book) / LINK_FILE).read_text()
    assert len(text) > MOST_IN_QR
    assert len(read_link(text, NOW).configuration["EmbeddedServerEntryList"]) == 1


def test_what_is_published_is_not_published_again(published: Book, root: Path) -> None:
    assert len(plan_of(published)) == 0
    assert publish_to(published, root).published == 0


def test_a_server_that_changes_is_a_reason_for_all_who_have_it_built_in(published: Book, root: Path) -> None:
    with published.change("ann", "port") as change:
        server = change.servers(Server.is_permanent.is_(True))[0]
        server.ssh_port += 1
        name = server.pseudonym
    assert changed_parts(published) == {f"server {name}"}
    assert publish_to(published, root).published == 2


def test_a_server_that_is_not_built_in_is_no_reason(published: Book) -> None:
    with published.change("ann", "port") as change:
        change.servers(Server.is_embedded.is_(True))[0].ssh_port += 1
    assert len(plan_of(published)) == 0


def test_settings_keys_and_campaigns_are_reasons(published: Book) -> None:
    with published.change("ann", "settings") as change:
        change.settings.client_settings = {"EgressRegion": "SE"}
    assert changed_parts(published) == {"settings for clients"}
    with published.change("ann", "key") as change:
        (old,) = change.keys(Purpose.EXCHANGE)
        retire_key(change, old)
        add_key(change, make_key(Purpose.EXCHANGE, SYSTEM_RNG))
    assert changed_parts(published) == {"settings for clients", "other keys"}
    with published.change("ann", "bucket") as change:
        change.campaign(bucket_of(published)).alternate_bucket_id = "zz/other"
    assert changed_parts(published) == {"settings for clients", "other keys", "campaign"}


def test_what_clients_never_see_is_no_reason(published: Book) -> None:
    with published.change("ann", "unseen") as change:
        change.settings.extract_directory = "/elsewhere"
        change.campaign(bucket_of(published)).account = "another@mail.example"
    assert len(plan_of(published)) == 0


def test_the_folder_of_a_campaign_that_is_gone_goes_with_it(published: Book, root: Path) -> None:
    bucket = bucket_of(published)
    with published.write() as session:
        session.delete(session.query(Campaign).filter_by(bucket_id=bucket).one())
        session.commit()
    assert publish_to(published, root).removed == 1
    assert not (root / bucket / BUNDLE_FILE).exists()
    assert not (root / bucket / LINK_FILE).exists()


def test_settings_that_make_no_bundle_fail_by_themselves(published: Book, root: Path) -> None:
    before = first_bundle(published)
    with published.change("ann", "settings") as change:
        change.settings.client_settings = {"DataRootDirectory": "/somewhere"}
    outcome = publish_to(published, root)
    assert [failure.error for failure in outcome.failed] == [
        "the bundle sets DataRootDirectory, which is a matter of each machine"
    ] * 2
    assert (root / bucket_of(published) / BUNDLE_FILE).read_bytes() == before
    with pytest.raises(DocumentError):
        first_bundle(published)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_secret_of_the_network_in_the_settings_for_clients_is_refused(book: Book, wrapped: bool) -> None:
    with book.view() as view:
        (key,) = view.keys(Purpose.DISCOVERY)
        (secret,) = view.secrets(key).values()
    with book.change("ann", "a slip") as change:
        change.settings.client_settings = {"Note": secret.encode().hex() if wrapped else secret}
    with pytest.raises(OperatorError, match="hold the discovery-hmac key") as caught:
        first_bundle(book)
    assert secret not in str(caught.value)


def test_a_network_without_keys_for_lists_says_so_for_each_campaign(book: Book, root: Path) -> None:
    with book.change("ann", "retire") as change:
        retire_key(change, change.keys(Purpose.LISTS)[0])
    assert [failure.error for failure in publish_to(book, root).failed] == [
        "a key that is needed is missing, or retired: make a new one"
    ] * 2


def test_while_no_server_could_be_built_in_there_are_no_bundles_and_that_is_no_failure(
    published: Book, root: Path
) -> None:
    with published.change("ann", "none") as change:
        for server in change.servers(Server.is_permanent.is_(True)):
            server.is_permanent = False
    outcome = publish_to(published, root)
    assert (outcome.failed, outcome.removed) == ([], 2)
    assert [*root.rglob(BUNDLE_FILE)] == []


def test_a_network_without_campaigns_has_no_bundles(book: Book) -> None:
    with book.write() as session:
        session.query(Campaign).delete()
        session.commit()
    assert len(plan_of(book)) == 0


def test_clients_are_published_where_they_are_wanted_and_packed_once(book: Book, root: Path) -> None:
    packed = []

    def pack() -> Base:
        packed.append(1)
        with zipfile.ZipFile(data := io.BytesIO(), "w") as archive:
            archive.writestr("lib/headrace.py", "")
        return Base(data.getvalue(), "digest")

    source = bundle_source(pack)
    assert source.kinds == {Kind.BUNDLE}
    assert len(plan_of(book, source)) == 2
    assert packed == []
    assert publish_to(book, root, source).failed == []
    assert packed == [1]
    folder = root / bucket_of(book)
    with zipfile.ZipFile(folder / archive_name("channel-0")) as archive:
        assert archive.read("bundle.json") == (folder / BUNDLE_FILE).read_bytes()
        assert "lib/headrace.py" in archive.namelist()


def test_a_new_version_of_the_client_is_a_reason_for_clients_only(
    published: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert __version__ != "9.9.9"
    monkeypatch.setattr("headrace.network.bundles.source.__version__", "9.9.9")
    assert len(plan_of(published)) == 0
    with_clients = plan_of(published, bundle_source(lambda: Base(b"", "")))
    assert {part for item in with_clients for part in item.changed} == {"client"}


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("Web", "headrace-web.pyz"),
        ("mail & friends (2027)", "headrace-mail-friends-2027.pyz"),
        ("почта", "headrace-client.pyz"),
        ("../../etc", "headrace-etc.pyz"),
    ],
)
def test_files_that_run_are_called_after_their_channel(channel: str, name: str) -> None:
    assert archive_name(channel) == name


def test_a_second_campaign_on_a_channel_has_the_same_but_for_where_its_lists_are(
    book: Book, root: Path
) -> None:
    with book.change("ann", "second") as change:
        sponsor, channel = change.sponsor("sponsor-0"), change.channel("channel-0")
        other = add_campaign(change, sponsor, channel, account="second@mail.example").bucket_id
        first = change.all(Campaign, Campaign.channel_id == channel.id, Campaign.bucket_id != other)[
            0
        ].bucket_id
    publish_to(book, root)
    one, two = (json.loads((root / bucket / BUNDLE_FILE).read_bytes()) for bucket in (first, other))
    assert {name for name in one if one[name] != two[name]} == {
        "RemoteServerListURLs",
        "ObfuscatedServerListRootURLs",
    }
