"""A tree of files that are functions, and how the kernel gets to show it: by FUSE."""
