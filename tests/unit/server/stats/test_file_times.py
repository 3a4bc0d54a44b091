import os
from pathlib import Path

from headrace.documents.server_config import ServerConfig
from headrace.server.stats.file_times import file_times


def test_when_the_files_were_written(tmp_path: Path) -> None:
    for name, written in (("rules", 1000), ("city", 3000), ("isp", 2000)):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (written, written))
    config = ServerConfig(
        server_ip_address="192.0.2.1",
        traffic_rules_filename="rules",
        osl_config_filename="missing",
        geo_ip_database_filenames=["city", "isp"],
    )
    assert file_times(config, tmp_path) == {"TrafficRulesFilename": 1000.0, "GeoIPDatabaseFilenames": 2000.0}
