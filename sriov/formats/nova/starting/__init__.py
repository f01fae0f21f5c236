"""What decides, besides the form of its files, whether nova starts with them and what it then reads."""
