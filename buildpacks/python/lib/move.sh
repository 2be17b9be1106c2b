# shellcheck shell=bash
# A slug is built in one place and runs in another. The interpreter does not mind; what tools install
# has the place in it.

# Have scripts find the interpreter beside them, and .pth files and editable installs the app above them.
make_movable() { # APP PREFIX
  local escaped file packages relative
  for file in "$2"/bin/*; do
    [[ ! -f $file || -L $file ]] || own_interpreter "$file" "$2"
  done
  packages=$(echo "$2"/lib/python3.*/site-packages)
  relative=$(realpath --relative-to="$packages" "$1")
  # shellcheck disable=SC2001
  escaped=$(sed 's/[][\.*^$#]/\\&/g' <<<"$1")
  for file in "$packages"/*.pth; do
    [[ ! -f $file ]] || sed -i "s#^$escaped#$relative#" "$file"
  done
  for file in "$packages"/__editable___*_finder.py; do # setuptools: a dict of absolute paths
    [[ ! -f $file ]] ||
      sed -i "s#'$escaped\(['/]\)#__import__('os').path.abspath(__file__ + '/../$relative') + '\1#g" "$file"
  done
}

# Instead of "#!/place/python", or, where that is too long for the kernel, three lines that begin with #!/bin/sh.
own_interpreter() { # SCRIPT PREFIX
  local first second skip
  { IFS= read -r first && IFS= read -r second; } < <(tr -d '\0' <"$1") || return 0
  if [[ $first == "#!$2/bin/python"* ]]; then
    skip=1
  elif [[ $first == '#!/bin/sh' && $second == "'''exec' "*"$2/bin/python"* ]]; then
    skip=3
  else
    return 0
  fi
  {
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/sh' \
      "'''exec' "'"$(dirname -- "$(readlink -f -- "$0")")/python3" "$0" "$@"' "' '''"
    tail -n +"$((skip + 1))" "$1"
  } >"$1.partial"
  chmod --reference="$1" "$1.partial"
  mv -- "$1.partial" "$1"
}
