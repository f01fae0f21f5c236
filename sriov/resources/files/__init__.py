"""Files on a host that several capabilities change, or that are more than a few lines: their texts, their changes."""
