# pypa's image has GCC, make, autoconf, automake and libtool; CPython's socket module wants the kernel's headers.
ARG BASE
FROM ${BASE}
RUN apk add --no-cache linux-headers perl \
    && apk info --verbose | sort >/etc/manypython-packages
