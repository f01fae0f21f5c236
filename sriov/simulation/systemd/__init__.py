"""systemd of one host: unit files, what runs of them, the order of a boot, and the answers of `systemctl`."""
