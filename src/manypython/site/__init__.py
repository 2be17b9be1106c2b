"""The producer: from archives to the static files of a site."""
