# shellcheck shell=bash
# Which interpreter, from where, and into which folder.

# The version that the app asks for and the file that says so; nothing where none does.
asked() { # APP
  if [[ -f $1/.python-version ]]; then
    one_version "$1" .python-version ''
  elif [[ -f $1/runtime.txt ]]; then
    one_version "$1" runtime.txt python-
  fi
}

one_version() { # APP FILE PREFIX
  local file=$2 found='' line
  [[ -r $1/$file ]] || fail "$file cannot be read." "Make it readable: chmod a+r $file"
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line != *$'\r'* ]] ||
      fail "$file has Windows line ends (CRLF)." "Save it with Unix ones: sed -i 's/\\r\$//' $file"
    [[ $line != $'\xef\xbb\xbf'* ]] ||
      fail "$file begins with a byte order mark (BOM)." "Save it without one: sed -i '1s/^\\xef\\xbb\\xbf//' $file"
    read -r line <<<"${line%%#*}" # without a remark, and the blanks around it
    [[ -n $line ]] || continue
    [[ -z $found ]] ||
      fail "$file names several versions: $found and $line." "Leave the one that the app is to run with."
    found=$line
  done <"$1/$file"
  [[ -n $found ]] || fail "$file names no version." "Write one into it, for instance: ${3}3.13"
  [[ $found =~ ^$3[0-9]+\.[0-9]+(\.[0-9]+)?$ ]] ||
    fail "$file says $(LC_ALL=C printf %q "$found"), which is no version." "Write for instance ${3}3.13 or ${3}3.13.5"
  printf '%s %s\n' "${found#"$3"}" "$file"
}

# The root of the site, with a slash at its end. https, or what needs no protection.
site() {
  local index=${MANYPYTHON_INDEX:-}
  index=${index%index.json}
  [[ -n $index ]] || fail 'MANYPYTHON_INDEX is not set: it says where interpreters come from.' \
    'Heroku: heroku config:set MANYPYTHON_INDEX=https://…' 'pack: pack build --env MANYPYTHON_INDEX=https://…'
  [[ $index != /* ]] || index=file://$index
  index=${index// /%20}
  [[ $index =~ ^(https://|file:///) || $index =~ ^http://([^]/@?#\\[:space:]]*@)?(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/|$) ]] ||
    fail "MANYPYTHON_INDEX is $(public "$index"), which nothing protects." 'Take an https:// or file:/// address.'
  printf '%s/\n' "${index%/}"
}

# An address without the name and password in it, which may have a / or an @ that should be %2F or %40.
public() { # URL
  if [[ $1 =~ ^([a-z]+://)[^/]*@([^@]*)$ ]]; then
    printf '%s\n' "${BASH_REMATCH[1]}${BASH_REMATCH[2]}"
  elif [[ $1 == *@* ]]; then
    printf '%s\n' "${1%%://*}://…@${1##*@}"
  else
    printf '%s\n' "$1"
  fi
}

unfetched() { # URL LINE...
  fail "$(public "$1") could not be fetched." "${@:2}" \
    'Why stands above: 401 wants https://NAME:PASSWORD@HOST/, 429 and 503 another try later, no space more room.'
}

get() { # URL FILE
  local path=${1#file://}
  if [[ $path != "$1" ]]; then # a folder needs no curl
    path=${path//\\/\\\\}
    printf -v path %b "${path//%/\\x}"
    if [[ $2 == - ]]; then cat -- "$path"; else cp -- "$path" "$2"; fi
    return
  fi
  curl --fail --silent --show-error --location --proto "=${1%%:*}" --proto-redir =https \
    --retry 3 --retry-max-time 180 --retry-connrefused --connect-timeout 10 --speed-limit 1 --speed-time 30 --output "$2" "$1"
}

# The glibc of this machine, 2.39; nothing where that is not known.
glibc() {
  getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc \([0-9]*[.][0-9]*\).*/\1/p'
}

# From SHA256SUMS on standard input, the final releases that run on this machine, best last: version, build, lowest
# glibc, SHA-256, path. The newest version; of its builds those for the oldest glibc, and of these the newest.
# A name without a policy wants glibc 2.17; builds for newer processors (x86_64_v3) and variants
# (freethreaded) have other names.
offered() {
  awk -v machine="$(uname -m)" -v here="$(glibc)" '
    function number(glibc, part) { split(glibc, part, "."); return part[1] * 1000 + part[2] }
    BEGIN {
      digits = "[0-9]+"
      pattern = "^python-build-standalone/releases/download/" digits "/cpython-[0-9.]+[+]" digits "-" machine \
        "-unknown-linux-gnu(-manylinux_" digits "_" digits ")?-install_only[.]tar[.]gz$"
    }
    $2 ~ pattern {
      name = $2
      sub(/.*\//, "", name)
      split(name, word, /[-+]/)
      floor = "2.17"
      if (sub(/^manylinux_/, "", word[8])) { sub(/_/, ".", word[8]); floor = word[8] }
      if (here == "" || number(floor) <= number(here)) print word[2], word[3], floor, $1, $2
    }' | sort -k1,1V -k3,3Vr -k2,2n
}

# The best that answers: version, build, glibc, SHA-256, URL and the file that asked.
choose() { # APP
  local answer file found here libc machine site sums version
  site=$(site)
  answer=$(asked "$1")
  read -r version file <<<"$answer"
  sums=$(get "${site}SHA256SUMS" -) || unfetched "${site}SHA256SUMS" \
    'MANYPYTHON_INDEX has to be the root of a site that manypython publish made.'
  here=$(offered <<<"$sums")
  found=$(awk -v asked="$version" -v pin="${MANYPYTHON_SHA256:-}" \
    '(asked == "" || $1 == asked || index($1, asked ".") == 1) && (pin == "" || $4 == pin)' <<<"$here" | tail -n 1)
  if [[ -z $found ]]; then
    found=$(cut -d ' ' -f 1 <<<"$here" | uniq | paste -s -d ' ')
    libc=$(glibc) || libc=
    machine="$(uname -m)${libc:+ with glibc $libc}"
    fail "$(public "$site") has no Python${version:+ $version ($file)} for $machine${MANYPYTHON_SHA256:+ that MANYPYTHON_SHA256 is of}." \
      "It has: ${found:-none at all}"
  fi
  printf '%s%s %s\n' "${found% *} $site" "${found##* }" "$file"
}

announce() { # VERSION BUILD FILE
  local why="as $3 says"
  [[ -n $3 ]] || why="the newest: to keep to it, write ${1%.*} into .python-version"
  step "Python $1, build $2, $why"
}

# A whole and right archive, or none.
download() { # URL SHA256 FILE
  local name=${1##*/}
  if [[ -f $3 ]] && sha256sum --check --status <<<"$2  $3"; then
    step "Using cached $name"
    return
  fi
  step "Fetching $name"
  if ! get "${1//+/%2B}" "$3.partial"; then
    rm -f -- "$3.partial"
    unfetched "$1"
  fi
  sha256sum --check --status <<<"$2  $3.partial" ||
    fail "$(public "$1") is not what SHA256SUMS says: its SHA-256 is not $2." 'Tell whoever runs the site.'
  mv -- "$3.partial" "$3"
}

# A whole tree whose interpreter runs here, or none.
unpack() { # ARCHIVE FOLDER
  rm -rf -- "$2" "$2.partial"
  mkdir -p -- "$2.partial"
  if ! tar --extract --gzip --file "$1" --directory "$2.partial" --strip-components 1 --no-same-owner |& first_lines; then
    rm -rf -- "$2.partial"
    fail "${1##*/} could not be unpacked into ${2%/*}." 'Why stands above; where no space is left, make more room.'
  fi
  "$2.partial/bin/python3" -I -c pass |& indent ||
    fail "The interpreter of ${1##*/} does not run here." 'Ask for another version, or build on a newer stack.'
  mv -- "$2.partial" "$2"
}
