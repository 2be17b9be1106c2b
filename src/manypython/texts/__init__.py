"""Pure patchers of the texts that name places: sysconfig, Makefile, pkg-config, scripts."""
