"""What the goldens of whole runs are made with: stories on the simulated fleet, a book of files, a normaliser.

Nothing here names a module of the product but the simulation: `fab` is called as an operator calls it.
"""
