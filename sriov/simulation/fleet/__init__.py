"""The fleet as its owner sees it, a test or an operator: start and stop it, look at its hosts, break them."""
