# shellcheck shell=bash
# What is said, and what the app's settings are.

step() { # TEXT
  printf -- '-----> %s\n' "$1"
}

indent() {
  sed --unbuffered 's/^/       /'
}

first_lines() { # of what says the same of thousands of files
  sed --unbuffered '6,$d;s/^/       /'
}

fail() { # LINE...: what is wrong, what to do
  printf ' !     %s\n' "$@" >&2
  exit 1
}

# The app's config vars, each a file in FOLDER (classic: ENV_DIR, CNB: <platform>/env), for the tools
# that run below: indexes, passwords, settings of Django. Those that would change what we ourselves run
# stay out.
load_env() { # FOLDER
  local file name
  for file in "$1"/*; do
    name=${file##*/}
    [[ -f $file && $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || continue
    case $name in
      BASH* | CPATH | ENV | EUID | GIT_DIR | HERE | HOME | IFS | LD_* | LIBRARY_PATH | PATH | PPID | PS4 | PYTHONHOME | \
        SHELLOPTS | UID | VIRTUAL_ENV) ;;
      *) export "$name=$(<"$file")" ;;
    esac
  done
}
