#!/bin/sh
# test_collisions.sh - no name inside backprop.h is one that a system's header, included before it,
# has made a macro: the header is compiled behind such headers, and behind tests/build/storm.h,
# which makes macros of all the names that these and others are known to take.
# CC and CXX are lists of words:
# shellcheck disable=SC2086
out=build/tests/collisions
mkdir -p "$out" || exit 1
rm -f "$out"/*.c
. tests/check.sh

# behind HEADER...: sets $source to a file that includes these and then the implementation, and
# $alone to one that includes only these. A compiler that
# has these must take the first.
behind() {
    source=$out/$(printf '%s' "$*" | tr -c 'A-Za-z0-9' '_').c
    alone=${source%.c}_alone.c
    for header; do
        case $header in
        */storm.h) echo "#include \"$header\"" ;;
        *) echo "#include <$header>" ;;
        esac
    done >"$alone"
    {
        cat "$alone"
        echo "#define BACKPROP_IMPLEMENTATION"
        echo '#include "backprop.h"'
    } >"$source"
}

# in_c COMPILER, in_cxx COMPILER: both precisions in an old and a new standard.
in_c() {
    in_all "$1" "$1 -x c" c99 gnu17
}

in_cxx() {
    in_all "$1" "$1 -x c++" c++98 c++17
}

in_all() {
    compiler=$1 language=$2
    shift 2
    if ! command -v ${compiler%% *} >/dev/null 2>&1; then
        skip "no $compiler: not behind $headers"
        return
    elif ! $language -I. -fsyntax-only "$alone" >/dev/null 2>&1; then
        skip "$compiler does not take $headers"
        return
    fi
    for standard; do
        if ! $language -std=$standard -I. -E "$alone" >/dev/null 2>&1; then
            skip "$compiler does not take $headers in $standard"
            continue
        fi
        for switch in -DBACKPROP_FLOAT -DBACKPROP_DOUBLE $more; do
            check "behind $headers, $compiler -std=$standard $switch" $language \
                -std=$standard -Wall $strict $switch -I. -fsyntax-only "$source"
        done
    done
}

# native HEADER...: with this machine's compilers; windows HEADER...: with those that make programs
# for Windows.
native() {
    headers=$*
    behind "$@"
    in_c "$CC"
    [ "$headers" = complex.h ] || in_cxx "$CXX"
}

windows() {
    headers=$*
    behind "$@"
    in_c x86_64-w64-mingw32-gcc
    in_cxx x86_64-w64-mingw32-g++
}

# The first error is enough: hundreds can follow.
strict="-Werror -Wfatal-errors" more=
native complex.h
native iso646.h
native sys/param.h
native curses.h
native curses.h term.h
native X11/Xlib.h X11/Xutil.h
windows windows.h
windows winsock2.h windows.h

# Names that the storm takes from the compiler itself are warned of, which is no fault.
strict=-Wfatal-errors more="-DBACKPROP_NO_SIMD -DBACKPROP_EXACT"
native tests/build/storm.h
more=
windows tests/build/storm.h
in_c aarch64-linux-gnu-gcc

# A name that collides must be found out.
printf '#include "tests/build/storm.h"\nint twice(int far);\nint twice(int far) { return far; }\n' \
    >"$out/far.c"
refuse "a parameter called far" far $CC -x c -I. -fsyntax-only "$out/far.c"
report test_collisions
