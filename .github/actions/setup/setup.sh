#!/usr/bin/env bash
# Steps of action.yml. `place` says where the interpreters go and what their cache is called; `fetch` has them.
# Inputs are PYTHON_VERSION, PYTHON_VERSION_FILE and manypython's own MANYPYTHON_*.
set -euo pipefail

sources="$(cd -- "$GITHUB_ACTION_PATH/../../.." && pwd -P)"
home="$RUNNER_TEMP/manypython"

# One line that the runner shows as the error of the job.
fail() {
  local text="${1//'%'/'%25'}"
  text="${text//$'\r'/}"
  echo "::error title=manypython::${text//$'\n'/'%0A'}"
  exit 1
}

place() {
  local sum libc
  [ "$(uname -s)" = Linux ] || fail "manypython has interpreters for Linux only (use actions/setup-python here)"
  if [ -n "$PYTHON_VERSION_FILE" ]; then
    [ -f "$PYTHON_VERSION_FILE" ] || fail "python-version-file: $PYTHON_VERSION_FILE: no such file (run actions/checkout first)"
  elif [ -z "${PYTHON_VERSION//[[:space:]]/}" ]; then
    fail "no Python is asked for (set python-version, e.g. to '3.13', or python-version-file)"
  fi
  sum="$(cat - ${PYTHON_VERSION_FILE:+"$PYTHON_VERSION_FILE"} <<<"$PYTHON_VERSION|$MANYPYTHON_INDEX|$MANYPYTHON_TRUST" | sha256sum)"
  libc="$(getconf GNU_LIBC_VERSION 2>/dev/null)" || libc=musl
  {
    echo "store=$home/${sum:0:16}"
    echo "key=manypython-$(uname -m)-${libc/ /-}-$(date -u +%G-%V)-${sum:0:16}"
  } >>"$GITHUB_OUTPUT"
}

# The first Python of the runner that manypython itself runs on.
host_python() {
  local each
  for each in python3 python3.{20..11} "${RUNNER_TOOL_CACHE:-}"/Python/3.*/*/bin/python3; do
    if "$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$each"
      return
    fi
  done
  fail "manypython runs on Python 3.11 or newer, and the runner has none (run actions/setup-python first)" >&2
}

# A line for each interpreter: its path. The words are the command to run.
obtain() {
  local requests
  mapfile -t requests < <(sed 's/^[[:space:]]*//; s/[[:space:]]*$//; /^$/d' <<<"$PYTHON_VERSION")
  "$@" fetch ${PYTHON_VERSION_FILE:+--from "$PYTHON_VERSION_FILE"} -- "${requests[@]}"
}

# By the runner's pip: making one for each job would take as long as all the rest.
install() {
  { "$1" -m venv --without-pip "$home/tool" &&
    "$1" -m pip --python "$home/tool/bin/python" install --quiet --no-compile --disable-pip-version-check "$sources"; } >"$log" 2>&1 ||
    fail "manypython cannot be installed with $1: $(tail -n 1 "$log") (it takes pip 22.3 or newer, and a package index)"
}

# What the steps after this one see.
export_all() {
  local prefix version
  # the runner puts each line before the ones above it
  printf '%s\n' "${@%/*}" | tac >>"$GITHUB_PATH"
  prefix="${1%/bin/*}"
  {
    echo "pythonLocation=$prefix"
    echo "Python_ROOT_DIR=$prefix"
    echo "Python3_ROOT_DIR=$prefix"
    echo "PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
  } >>"$GITHUB_ENV"
  version="$("$1" -c 'import platform; print(platform.python_version())')"
  {
    echo "python-path=$1"
    echo "python-version=$version"
  } >>"$GITHUB_OUTPUT"
  echo "Python $version: $1"
}

fetch() {
  local paths="" found python
  python="$(host_python)"
  if [ -d "$MANYPYTHON_STORE_DIR" ]; then # to find 3.13 there takes the standard library alone
    paths="$(PYTHONPATH="$sources/src" TMPDIR="$home" obtain "$python" -P -m manypython 2>"$log")" || paths=""
  fi
  if [ -z "$paths" ]; then
    [ -x "$home/tool/bin/manypython" ] || install "$python"
    paths="$(obtain "$home/tool/bin/manypython" 2>"$log")" ||
      fail "$(grep -v '^log: ' "$log" | tail -n 2 | sed 's/^error: //; s/^remedy: \(.*\)/(\1)/' | paste -s -d ' ')"
    cat "$log"
  fi
  mapfile -t found <<<"$paths"
  export_all "${found[@]}"
}

mkdir -p "$home"
log="$home/log"
"$1"
