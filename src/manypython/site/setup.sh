#!/bin/bash
# Run by actions/setup-python in the folder this archive was unpacked to. No network.
set -euo pipefail

cache="${RUNNER_TOOL_CACHE:-${AGENT_TOOLSDIRECTORY:-}}"
if [ -z "$cache" ]; then
  echo "setup.sh: neither RUNNER_TOOL_CACHE nor AGENT_TOOLSDIRECTORY is set" >&2
  exit 1
fi
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
goal="$cache/Python/@VERSION@/@ARCHITECTURE@"

rm -rf -- "$goal" "$goal.complete"
mkdir -p -- "$goal"
cp -RPp -- "$here/." "$goal"
rm -f -- "$goal/setup.sh"
ln -sfn -- "bin/@PROGRAM@" "$goal/python"
touch -- "$goal.complete" # last: the action believes a folder that has it beside it
