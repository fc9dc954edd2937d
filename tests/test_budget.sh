#!/bin/sh
# test_budget.sh - what the header may cost: lines to read, bytes of a program, memory of the
# compiler; and every function is found by its name in an editor, which is what ctags tells.
# watch is a list of words:
# shellcheck disable=SC2086
out=build/tests/budget
mkdir -p "$out" || exit 1
. tests/check.sh
header=backprop.h
most_lines=4000    # in all
most_machine=1500  # of them about processors, from >>machine to >>history
most_columns=100   # in a line
most_body=60       # lines of a function
most_text=112640   # bytes of code and constants, gcc -O2 on x86-64
most_memory=204800 # kilobytes that gcc takes for it

have() {
    command -v "$1" >/dev/null 2>&1 || {
        skip "no $1"
        return 1
    }
}

# at_most WHAT NUMBER LIMIT
at_most() {
    check "$1: ${2:-unknown}, at most $3" [ "${2:-$(($3 + 1))}" -le "$3" ]
}

# ---- lines ----

# functions: the first line, the length and the name of each. A definition begins with a word at
# column 0, which neither ends with a semicolon nor opens a list, and has its braces at column 0.
functions() {
    awk '
        body && /^}/ { print start, NR - start + 1, name; body = start = 0; next }
        body { next }
        /^[A-Za-z_]/ && !start { start = NR; name = "" }
        start && !name && match($0, /bpi?_[a-z0-9_]*\(/) { name = substr($0, RSTART, RLENGTH - 1) }
        /^{$/ && start { body = 1; next }
        /^[^ #*].*{$/ || /;[ \t]*(\/\*.*)?$/ { start = 0 }' $header
}

test_lines() {
    at_most "lines" "$(($(wc -l <$header)))" $most_lines
    at_most "lines about processors" "$(awk '
        /^\/\* >>machine$/ { from = NR } /^\/\* >>history$/ { to = NR }
        END { if (from && to > from) print to - from }' $header)" $most_machine
    awk -v most=$most_columns 'length > most { print FILENAME ":" NR ": " length " columns" }' \
        $header >"$out/wide"
    check "no line is wider than $most_columns columns" sh -c "! grep . $out/wide"
    functions >"$out/functions"
    check "functions are found" grep ' bp_train$' "$out/functions"
    awk -v most=$most_body '
        $2 > most { print $3 ", line " $1 ": " $2 " lines" }' "$out/functions" >"$out/long"
    check "no function is longer than $most_body lines" sh -c "! grep . $out/long"
}

# ---- what gcc makes of it ----

# object NAME OPTION...: without CFLAGS, as sanitizers and the like have a size of their own.
object() {
    object=$out/$1.o
    shift
    check "gcc $*" $watch gcc -std=c99 -I. "$@" -c -o "$object" tests/build/impl.c
}

# Of the object that object -O2 made.
test_size() {
    if ! echo | gcc -dM -E -x c - | awk '
        /__x86_64__/ { x86 = 1 } /__clang__/ { clang = 1 } END { exit !x86 || clang }'; then
        skip "not gcc on x86-64: the size of what is compiled is another"
        return
    fi
    if [ -n "$watch" ]; then
        at_most "kilobytes of memory for gcc -O2" "$(
            sed -n 's/.*Maximum resident set size (kbytes): //p' "$out/log"
        )" $most_memory
    else
        skip "no /usr/bin/time -v"
    fi
    have size || return
    at_most "bytes of text" "$(size "$object" | awk 'NR == 2 { print $1 }')" $most_text
}

# ---- every function by its name ----

# Functions of the last object that ctags does not find. Compilers add suffixes that begin with a
# point, the header those of instruction sets; Mach-O writes an underscore before.
named() {
    nm -P "$object" | awk '$2 ~ /^[tT]$/ { print $1 }' | sed 's/^_\(bp\)/\1/
        s/\..*$//
        s/_plain$//; s/_sse2$//; s/_avx2$//; s/_avx512$//; s/_neon$//' |
        grep '^bpi\{0,1\}_' | sort -u >"$out/symbols"
    check "nm lists functions, $1" grep '^bp_train$' "$out/symbols"
    awk -v tags="$out/tags" '
        BEGIN { while ((getline line <tags) > 0) found[line] = 1 }
        !found[$1]' "$out/symbols" >"$out/lost"
    check "ctags finds every function, $1" sh -c "! grep . $out/lost"
}

test_names() {
    have nm || return
    if ! ctags --version 2>/dev/null | grep 'Universal Ctags' >/dev/null; then
        skip "no universal ctags"
        return
    fi
    ctags --quiet --options=NONE --language-force=C --c-kinds=f -x --_xformat=%N $header |
        sort -u >"$out/tags"
    named "-O2"
    # Where nothing is inlined there are more.
    watch=
    for switch in -DBACKPROP_FLOAT -DBACKPROP_DOUBLE -DBACKPROP_NO_SIMD -DBACKPROP_EXACT; do
        object plain -O0 $switch
        named "-O0 $switch"
    done
}

test_lines
if have gcc; then
    watch=
    ! /usr/bin/time -v true 2>&1 | grep '(kbytes)' >/dev/null || watch="/usr/bin/time -v"
    object fast -O2
    test_size
    test_names
fi
report test_budget
