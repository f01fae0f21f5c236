"""What capabilities only say of a host: nothing here changes a file."""
