"""What is held on a port: VFs by their users, and lines of files by guests. It stays as it is, and says why."""
