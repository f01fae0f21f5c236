"""What a testbed file says, in Python or in YAML, before anything is judged: values, and the lines where they stand."""
