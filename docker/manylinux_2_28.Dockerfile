# pypa's image has GCC, make, autoconf, automake and libtool; OpenSSL's Configure wants more of perl.
ARG BASE
FROM ${BASE}
RUN dnf install --assumeyes perl-core \
    && dnf clean all \
    && rpm --query --all | sort >/etc/manypython-packages
