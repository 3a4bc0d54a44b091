"""The first schema of a network."""

import sqlalchemy as sa
from alembic import op

from headrace.network.model.records import APPEND_ONLY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables, and an audit log that can only grow."""
    op.create_table(
        "audit",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.Column("object_name", sa.String(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_object_id"), "audit", ["object_id"], unique=False)
    op.create_table(
        "channels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mechanisms", sa.JSON(), nullable=False),
        sa.Column("propagator_managed_upgrades", sa.Boolean(), nullable=False),
        sa.Column("new_propagation", sa.Integer(), nullable=False),
        sa.Column("new_discovery", sa.Integer(), nullable=False),
        sa.Column("new_osl", sa.Integer(), nullable=False),
        sa.Column("max_propagation_age", sa.Integer(), nullable=False),
        sa.Column("max_discovery_age", sa.Integer(), nullable=False),
        sa.Column("max_osl_age", sa.Integer(), nullable=False),
        sa.CheckConstraint("max_discovery_age >= 0", name=op.f("ck_channels_max_discovery_age")),
        sa.CheckConstraint("max_osl_age >= 0", name=op.f("ck_channels_max_osl_age")),
        sa.CheckConstraint("max_propagation_age >= 0", name=op.f("ck_channels_max_propagation_age")),
        sa.CheckConstraint("new_discovery >= 0", name=op.f("ck_channels_new_discovery")),
        sa.CheckConstraint("new_osl >= 0", name=op.f("ck_channels_new_osl")),
        sa.CheckConstraint("new_propagation >= 0", name=op.f("ck_channels_new_propagation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("name", name=op.f("uq_channels_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_channels_public_id")),
    )
    op.create_table(
        "client_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_client_versions_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_versions")),
        sa.UniqueConstraint("platform", "version", name=op.f("uq_client_versions_platform_version")),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "network_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("public", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_keys")),
        sa.UniqueConstraint("purpose", "key_id", name=op.f("uq_network_keys_purpose_key_id")),
    )
    op.create_table(
        "providers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("driver", sa.String(), nullable=False),
        sa.Column("published_id", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("plans", sa.JSON(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("ssh_port", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.CheckConstraint("weight >= 0", name=op.f("ck_providers_weight")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_providers")),
        sa.UniqueConstraint("name", name=op.f("uq_providers_name")),
        sa.UniqueConstraint("published_id", name=op.f("uq_providers_published_id")),
    )
    op.create_table(
        "published",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("applied", sa.String(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("objects", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("next_attempt", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kind", "key", "place", name=op.f("pk_published")),
    )
    op.create_table(
        "secrets",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_secrets")),
    )
    op.create_table(
        "signatures",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "sha256", name=op.f("pk_signatures")),
    )
    op.create_table(
        "sponsors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("client_banner", sa.LargeBinary(), nullable=True),
        sa.Column("website_banner", sa.LargeBinary(), nullable=True),
        sa.Column("website_banner_link", sa.String(), nullable=False),
        sa.Column("home_pages", sa.JSON(), nullable=False),
        sa.Column("mobile_home_pages", sa.JSON(), nullable=False),
        sa.Column("alert_action_urls", sa.JSON(), nullable=False),
        sa.Column("page_view_rules", sa.JSON(), nullable=False),
        sa.Column("https_request_rules", sa.JSON(), nullable=False),
        sa.Column("use_data_from_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["use_data_from_id"],
            ["sponsors.id"],
            name=op.f("fk_sponsors_use_data_from_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sponsors")),
        sa.UniqueConstraint("name", name=op.f("uq_sponsors_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sponsors_public_id")),
    )
    op.create_index(op.f("ix_sponsors_use_data_from_id"), "sponsors", ["use_data_from_id"], unique=False)
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sponsor_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("mechanism", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("bucket_id", sa.String(), nullable=False),
        sa.Column("alternate_bucket_id", sa.String(), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("platforms", sa.JSON(), nullable=False),
        sa.Column("custom_download_site", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_campaigns_channel_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["sponsor_id"],
            ["sponsors.id"],
            name=op.f("fk_campaigns_sponsor_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("bucket_id", name=op.f("uq_campaigns_bucket_id")),
        sa.UniqueConstraint(
            "sponsor_id",
            "channel_id",
            "mechanism",
            "account",
            name=op.f("uq_campaigns_sponsor_id_channel_id_mechanism_account"),
        ),
    )
    op.create_index(op.f("ix_campaigns_channel_id"), "campaigns", ["channel_id"], unique=False)
    op.create_index(op.f("ix_campaigns_sponsor_id"), "campaigns", ["sponsor_id"], unique=False)
    op.create_table(
        "hosts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("machine_id", sa.String(), nullable=False),
        sa.Column("datacenter", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("software", sa.String(), nullable=False),
        sa.Column("management_address", sa.String(), nullable=False),
        sa.Column("management_port", sa.Integer(), nullable=False),
        sa.Column("management_user", sa.String(), nullable=False),
        sa.Column("log_user", sa.String(), nullable=False),
        sa.Column("management_host_key", sa.String(), nullable=False),
        sa.Column("meek_port", sa.Integer(), nullable=False),
        sa.Column("meek_cookie_public_key", sa.String(), nullable=False),
        sa.Column("fronting_domain", sa.String(), nullable=False),
        sa.Column("fronting_host", sa.String(), nullable=False),
        sa.Column("fronting_hosts", sa.JSON(), nullable=False),
        sa.Column("fronting_addresses", sa.JSON(), nullable=False),
        sa.Column("fronting_addresses_regex", sa.String(), nullable=False),
        sa.Column("fronting_disable_sni", sa.Boolean(), nullable=False),
        sa.Column("fronting_provider_id", sa.String(), nullable=False),
        sa.Column("passthrough_address", sa.String(), nullable=False),
        sa.Column("passthrough_version", sa.Integer(), nullable=False),
        sa.Column("gquic", sa.Boolean(), nullable=False),
        sa.Column("limit_quic_versions", sa.JSON(), nullable=False),
        sa.Column("packet_manipulator", sa.Boolean(), nullable=False),
        sa.Column("tactics_request_public_key", sa.String(), nullable=False),
        sa.Column("inproxy_session_public_key", sa.String(), nullable=False),
        sa.Column("is_inproxy", sa.Boolean(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "status <> 'active' OR length(region) = 2", name=op.f("ck_hosts_active_has_region")
        ),
        sa.CheckConstraint(
            "status IN ('new', 'installed', 'active', 'paused', 'draining', 'removing', 'gone')",
            name=op.f("ck_hosts_status"),
        ),
        sa.CheckConstraint(
            "status IN ('new', 'removing', 'gone') OR deployment = 'local' OR management_host_key <> ''",
            name=op.f("ck_hosts_host_key_is_pinned"),
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["providers.id"],
            name=op.f("fk_hosts_provider_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosts")),
        sa.UniqueConstraint("name", name=op.f("uq_hosts_name")),
    )
    op.create_index(op.f("ix_hosts_provider_id"), "hosts", ["provider_id"], unique=False)
    op.create_table(
        "provider_ranks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.CheckConstraint("weight >= 0", name=op.f("ck_provider_ranks_weight")),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_provider_ranks_channel_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["providers.id"],
            name=op.f("fk_provider_ranks_provider_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_ranks")),
        sa.UniqueConstraint(
            "provider_id", "channel_id", name=op.f("uq_provider_ranks_provider_id_channel_id")
        ),
    )
    op.create_index(op.f("ix_provider_ranks_channel_id"), "provider_ranks", ["channel_id"], unique=False)
    op.create_index(op.f("ix_provider_ranks_provider_id"), "provider_ranks", ["provider_id"], unique=False)
    op.create_table(
        "settings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("network_name", sa.String(), nullable=False),
        sa.Column("production", sa.Boolean(), nullable=False),
        sa.Column("default_sponsor_id", sa.Uuid(), nullable=True),
        sa.Column("default_alert_action_urls", sa.JSON(), nullable=False),
        sa.Column("https_request_rules", sa.JSON(), nullable=False),
        sa.Column("traffic_rules", sa.JSON(), nullable=False),
        sa.Column("osl_schemes", sa.JSON(), nullable=False),
        sa.Column("tactics", sa.JSON(), nullable=False),
        sa.Column("server_settings", sa.JSON(), nullable=False),
        sa.Column("client_settings", sa.JSON(), nullable=False),
        sa.Column("blocklist", sa.String(), nullable=False),
        sa.Column("public_store", sa.String(), nullable=False),
        sa.Column("public_urls", sa.JSON(), nullable=False),
        sa.Column("host_store", sa.String(), nullable=False),
        sa.Column("bundle_directory", sa.String(), nullable=False),
        sa.Column("extract_directory", sa.String(), nullable=False),
        sa.Column("discovery_horizon_hours", sa.Integer(), nullable=False),
        sa.Column("discovery_pools", sa.Integer(), nullable=False),
        sa.Column("list_sample", sa.Integer(), nullable=False),
        sa.Column("embedded_sample", sa.Integer(), nullable=False),
        sa.Column("ossh_ports", sa.JSON(), nullable=False),
        sa.Column("ssh_allow_list", sa.JSON(), nullable=False),
        sa.Column("egress_rules", sa.JSON(), nullable=False),
        sa.Column("responder_address", sa.String(), nullable=False),
        sa.Column("feedback_upload_urls", sa.JSON(), nullable=False),
        sa.Column("retired_address_days", sa.Integer(), nullable=False),
        sa.CheckConstraint("discovery_horizon_hours > 0", name=op.f("ck_settings_horizon")),
        sa.CheckConstraint("discovery_pools > 0", name=op.f("ck_settings_pools")),
        sa.ForeignKeyConstraint(
            ["default_sponsor_id"],
            ["sponsors.id"],
            name=op.f("fk_settings_default_sponsor_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settings")),
    )
    op.create_index(op.f("ix_settings_default_sponsor_id"), "settings", ["default_sponsor_id"], unique=False)
    op.create_table(
        "servers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("egress_address", sa.String(), nullable=False),
        sa.Column("internal_address", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("configuration_version", sa.Integer(), nullable=False),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_permanent", sa.Boolean(), nullable=False),
        sa.Column("is_embedded", sa.Boolean(), nullable=False),
        sa.Column("discovery_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discovery_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("osl_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("osl_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("osl_ids", sa.JSON(), nullable=False),
        sa.Column("ssh_port", sa.Integer(), nullable=False),
        sa.Column("ossh_ports", sa.JSON(), nullable=False),
        sa.Column("quic_port", sa.Integer(), nullable=False),
        sa.Column("tls_port", sa.Integer(), nullable=False),
        sa.Column("shadowsocks_port", sa.Integer(), nullable=False),
        sa.Column("tapdance_port", sa.Integer(), nullable=False),
        sa.Column("conjure_port", sa.Integer(), nullable=False),
        sa.Column("inproxy_ssh_port", sa.Integer(), nullable=False),
        sa.Column("inproxy_ossh_port", sa.Integer(), nullable=False),
        sa.Column("inproxy_quic_port", sa.Integer(), nullable=False),
        sa.Column("ssh_host_key", sa.String(), nullable=False),
        sa.Column("replaces", sa.String(), nullable=False),
        sa.Column("recipe", sa.String(), nullable=False),
        sa.Column("recipe_seed", sa.String(), nullable=False),
        sa.Column("rate_limit", sa.String(), nullable=False),
        sa.CheckConstraint(
            "status IN ('new', 'installed', 'active', 'paused', 'draining', 'removing', 'gone')",
            name=op.f("ck_servers_status"),
        ),
        sa.CheckConstraint(
            "(discovery_start IS NULL) = (discovery_end IS NULL)"
            " AND (discovery_start IS NULL OR discovery_start < discovery_end)",
            name=op.f("ck_servers_discovery_range"),
        ),
        sa.CheckConstraint(
            "(osl_start IS NULL) = (osl_end IS NULL) AND (osl_start IS NULL OR osl_start < osl_end)",
            name=op.f("ck_servers_osl_range"),
        ),
        sa.CheckConstraint("configuration_version >= 0", name=op.f("ck_servers_configuration_version")),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_servers_channel_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["host_id"], ["hosts.id"], name=op.f("fk_servers_host_id"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servers")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_servers_pseudonym")),
    )
    op.create_index(op.f("ix_servers_address"), "servers", ["address"], unique=False)
    op.create_index(op.f("ix_servers_channel_id"), "servers", ["channel_id"], unique=False)
    op.create_index(op.f("ix_servers_host_id"), "servers", ["host_id"], unique=False)
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
