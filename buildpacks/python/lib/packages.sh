# shellcheck shell=bash
# The app's packages, by the tool that locked them.

# pip, pipenv, poetry or uv; nothing where no file asks for packages.
manager() { # APP
  local file found=()
  for file in requirements.txt Pipfile.lock poetry.lock uv.lock; do
    [[ ! -f $1/$file ]] || found+=("$file")
  done
  ((${#found[@]} < 2)) ||
    fail "Several files say what to install: ${found[*]}" 'Keep the one of the tool that you use, and delete the others.'
  case ${found[*]:-} in
    requirements.txt) echo pip ;;
    Pipfile.lock) echo pipenv ;;
    *.lock) echo "${found[0]%.lock}" ;;
    *) [[ ! -f $1/Pipfile ]] || fail 'There is a Pipfile without its Pipfile.lock.' 'Run pipenv lock, and commit the file.' ;;
  esac
}

# What tools keep from build to build; nothing of another stack or another interpreter.
open_cache() { # FOLDER KEY
  if [[ -f $1/key && $(<"$1/key") != "$2" ]]; then
    step 'The stack or the interpreter is another one: cached packages are dropped'
    rm -rf -- "$1/downloads" "$1/tools"
  fi
  mkdir -p -- "$1/downloads" "$1/tools"
  printf '%s\n' "$2" >"$1/key"
}

# A tool of tools.txt, in a folder of its own that may be moved.
have_tool() { # PYTHON TOOL CACHE
  local pinned
  pinned=$(grep "^$2==" "$HERE/tools.txt")
  TOOL=$3/tools/$pinned
  if [[ -d $TOOL ]]; then
    step "Using cached $pinned"
    return
  fi
  step "Installing $pinned"
  rm -rf -- "$TOOL.partial"
  "$1" -I -m pip install --quiet --target "$TOOL.partial" "$pinned" |& indent ||
    fail "$pinned could not be installed."
  mv -- "$TOOL.partial" "$TOOL"
}

# A tool's module without its scripts, which have the place of an interpreter in them, and without
# PYTHONPATH, which what it starts would inherit.
module() { # PYTHON TOOL ARGUMENT...
  "$1" -I -c '
import runpy, sys
sys.path.insert(0, sys.argv[1])
del sys.argv[:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
' "$TOOL" "${@:2}"
}

# Install the packages of an app into PREFIX, an interpreter's or a virtual environment's.
install_packages() { # APP PYTHON PREFIX CACHE
  local tool
  tool=$(manager "$1")
  if [[ -z $tool ]]; then
    step 'No requirements.txt, Pipfile.lock, poetry.lock or uv.lock: no packages to install'
    return
  fi
  export XDG_CACHE_HOME=$4/downloads
  # with it py_compile has bytecode look at the source's hash, not at the times that a slug or an image loses
  export SOURCE_DATE_EPOCH=315532801
  export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
  [[ $tool == pip ]] || have_tool "$2" "$tool" "$4"
  step "Installing packages with $tool"
  (cd -- "$1" && "with_$tool" "$2" "$3") |& indent || fail "$tool could not install the app's packages: see above."
}

with_pip() { # PYTHON PREFIX
  "$1" -I -m pip --python "$2/bin/python" install --no-input --progress-bar off \
    --requirement requirements.txt
}

with_pipenv() { # PYTHON PREFIX
  PATH=$2/bin:$PATH VIRTUAL_ENV=$2 PIPENV_VERBOSITY=-1 PIPENV_NOSPIN=1 module "$1" pipenv install --deploy --system
}

with_poetry() { # PYTHON PREFIX
  VIRTUAL_ENV=$2 module "$1" poetry install --only main --compile --no-interaction --no-ansi
}

with_uv() { # PYTHON PREFIX
  UV_PROJECT_ENVIRONMENT=$2 UV_PYTHON=$2/bin/python UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy \
    "$TOOL/bin/uv" sync --locked --no-default-groups --no-editable --compile-bytecode --no-progress
}

# What Django's staticfiles gathers, as Heroku's own buildpack does it.
collect_static() { # APP PREFIX
  local manage
  if [[ ${DISABLE_COLLECTSTATIC:-0} != 0 ]]; then
    step 'DISABLE_COLLECTSTATIC is set: no collectstatic'
    return
  fi
  "$2/bin/python" -I -c 'import importlib.util as u, sys; sys.exit(u.find_spec("django") is None)' || return 0
  manage=$(cd -- "$1" && find . -maxdepth 3 -name manage.py -type f -printf '%d %P\n' | sort -n | sed -n '1s/^[0-9]* //p')
  [[ -n $manage ]] || return 0
  step "python $manage collectstatic --noinput"
  (cd -- "$1" && PATH=$2/bin:$PATH python "$manage" collectstatic --noinput --traceback) |& indent ||
    fail 'collectstatic failed: see above.' 'Where the app needs none, set DISABLE_COLLECTSTATIC=1.'
}
