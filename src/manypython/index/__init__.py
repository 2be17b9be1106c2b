"""The static site of all builds: what it says, how it is signed, how a machine takes a build from it."""
