"""The index of a site: what it says about each build, and which build fits a machine or a reader."""
