"""The fleet's own process: all hosts, their SSH servers and the one FUSE mount, on one asyncio loop."""
