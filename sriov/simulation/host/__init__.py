"""A host as it lives on a machine: its boots, the commands that it answers, and who takes its VFs."""
