"""Where phases of hosts are done: in threads of this process, or by an Executor, such as a Dask cluster."""
