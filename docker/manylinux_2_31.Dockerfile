# Debian 11 has glibc 2.31 (PEP 600 lets any distribution stand for its glibc). Its bare image has no
# compiler, and its autoconf is too old for libffi's git archive: Debian 12's is plain text and perl.
ARG BASE
FROM ${BASE}
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        automake g++ gcc libltdl-dev libtool m4 make perl \
    && sed --quiet 's/ bullseye main/ bookworm main/p' /etc/apt/sources.list >/etc/apt/sources.list.d/next.list \
    && apt-get update \
    && apt-get install --yes --no-install-recommends autoconf/bookworm \
    && rm -rf /etc/apt/sources.list.d/next.list /var/lib/apt/lists/* \
    && dpkg-query --show >/etc/manypython-packages
