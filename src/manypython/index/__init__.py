"""The index of a site: what it says of each build, and which one fits a machine or a reader."""
