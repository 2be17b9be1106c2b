"""What can be built and from which sources: facts in TOML, and the model that reads them."""
