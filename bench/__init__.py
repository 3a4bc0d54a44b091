"""Programs that measure headrace against its peers on one machine: `python -m bench`; see README.md."""
