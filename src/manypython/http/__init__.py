"""Requests over http(s): connections, proxies and logins."""
