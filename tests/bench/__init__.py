"""The benchmark: one job, several tools, a fleet of OpenSSH servers. `python -m tests.bench --help` says how."""
