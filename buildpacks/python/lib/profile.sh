# shellcheck shell=bash
# Put into the slug as .profile.d/manypython.sh and sourced before the app starts.
export PATH="$HOME/.heroku/python/bin:$PATH"
export PYTHONUNBUFFERED="${PYTHONUNBUFFERED:-1}"
export LANG="${LANG:-C.UTF-8}"

# A dyno is reached through Heroku's router only.
[ -z "${DYNO:-}" ] || export FORWARDED_ALLOW_IPS="${FORWARDED_ALLOW_IPS:-*}"

# How many processes gunicorn and uvicorn start: two for each processor and one, each with 256 MiB of what
# memory there is. Without a limit (below 1 TiB) it is theirs to decide.
if [ -z "${WEB_CONCURRENCY:-}" ]; then
  WEB_CONCURRENCY=$(
    cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null |
      awk -v processors="$(nproc)" '/^[0-9]+$/ && $1 < 2 ^ 40 {
        most = 2 * processors + 1
        fitting = int($1 / 2 ^ 28)
        print fitting < 1 ? 1 : fitting < most ? fitting : most
        exit
      }'
  )
  if [ -n "$WEB_CONCURRENCY" ]; then export WEB_CONCURRENCY; else unset WEB_CONCURRENCY; fi
fi
