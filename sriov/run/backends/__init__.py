"""Where phases of hosts are done: in threads of this process, or wherever an Executor is, such as a Dask cluster."""
