#!/bin/sh
# test_docs.sh - what README.md and the header's manual show is compiled, run and compared:
# programs against the output printed below them, fragments for being C, and the three copies of
# the quick start against each other.
# CC, CFLAGS and the like are lists of words:
# shellcheck disable=SC2086
out=build/tests/docs
mkdir -p "$out" || exit 1
rm -rf "${out:?}"/*
. tests/check.sh
compile="$CC -O0 -std=c99 -Wall -Wextra -I. $CFLAGS"
parse="$CC -O0 -std=c99 -Werror=implicit-function-declaration -I. -c -o $out/fragment.o"

# Every fenced block of the README, in $out/README.1.c, README.2.text ...
split_readme() {
    awk -v out="$out/README" '
        /^```/ && !inside { inside = 1; n++; name = out "." n "." substr($0, 4); next }
        /^```/ { inside = 0; close(name); next }
        inside { print >name }' README.md
}

# manual TAG: the indented code of a section of the header's manual, from its first line of
# code; prose between the lines of code ends it if they make a program.
manual() {
    awk -v tag=">>$1" '
        $0 == " * " tag { on = 1; next }
        on && / \* >>/ { exit }
        on && /^ \*     / { code = 1; print substr($0, 8); next }
        on && code && /^ \*$/ { print ""; next }
        on && code && /^ \* [^ ]/ && tag == ">>quickstart" { exit }' backprop.h |
        trim
}

# Removes the blank lines at the end.
trim() {
    awk 'NF { for (; blank; blank--) print ""; print; next } { blank++ }'
}

# The quick start without the comment that a file may begin with.
code_of() {
    awk '/^#define/ { on = 1 } on' "$1" | trim
}

is_program() {
    grep '^int main(' "$1" >/dev/null
}

# program FILE: compiles, runs, and compares with the text block that follows it, if one does.
program() {
    check "$1 compiles" $compile -o "$out/program" "$1"
    n=${1##*README.}
    text=$out/README.$((${n%.c} + 1)).text
    check "$1 runs" sh -c "'$out/program' >'$out/output'"
    [ ! -f "$text" ] || check "$1 prints what README.md says" diff "$text" "$out/output"
}

# fragment FILE: the file has only to compile, as part of a function or at the top of a file. The
# names it may use without a declaration are those that the manual uses all along.
fragment() {
    {
        cat "$src/fragment.h"
        echo "int main(void) {"
        echo "{"
        cat "$1"
        echo "}"
        echo "return 0; }"
    } >"$out/inside.c"
    {
        echo '#include "tests/build/fragment.h"'
        cat "$1"
        echo "int main(void) { return 0; }"
    } >"$out/outside.c"
    check "$1 compiles in a function or outside" sh -c "
        $parse $out/inside.c || $parse $out/outside.c"
}
src=tests/build

test_readme() {
    split_readme
    blocks=0 shown=0
    for block in "$out"/README.*.c; do
        [ -f "$block" ] || continue
        blocks=$((blocks + 1))
        if is_program "$block"; then
            [ -f "$out/first.c" ] || cp "$block" "$out/first.c"
            program "$block"
            [ ! -f "$text" ] || shown=$((shown + 1))
        else
            fragment "$block"
        fi
    done
    check "README.md shows C" [ $blocks -gt 0 ]
    check "README.md shows what a program prints" [ $shown -gt 0 ]
    # What it tells to type must be there to be typed.
    for target in $(tr '`' '\n' <README.md | sed -n 's/^make  *\([a-z][a-z-]*\).*/\1/p' |
        sort -u); do
        check "make $target" grep "^$target:" Makefile
    done
    # shellcheck disable=SC2020
    for path in $(tr '`() ' '\n\n\n\n' <README.md |
        sed -n 's/^\(\(examples\|tests\)\/[A-Za-z0-9_./-]*[a-z]\)$/\1/p' | sort -u); do
        check "$path is there" [ -e "$path" ]
    done
}

test_quickstart() {
    manual quickstart >"$out/manual.c"
    code_of examples/xor.c >"$out/xor.c"
    check "the manual has a quick start" is_program "$out/manual.c"
    check "examples/xor.c is the manual's quick start" diff "$out/manual.c" "$out/xor.c"
    if [ -f "$out/first.c" ]; then
        check "README.md has the manual's quick start" diff "$out/manual.c" "$out/first.c"
    fi
}

# The other sections that show calls.
test_manual() {
    manual memory >"$out/memory.c"
    check "the manual shows networks without malloc" grep bp_create_in "$out/memory.c"
    fragment "$out/memory.c"
}

# Words of a text in one line, so that wrapping and comment marks do not matter.
words() {
    tr -s ' *\n' ' '
}

test_licence() {
    sed -n '/>>licence$/,$p' backprop.h | words >"$out/header.words"
    sed '1,/^$/d' LICENSE | words | sed 's/^ //; s/ $//' >"$out/licence.words"
    # The pattern is for grep.
    # shellcheck disable=SC2016
    check "LICENSE stands at the end of the header" awk '
        NR == FNR { header = header $0; next } { licence = licence $0 }
        END { exit index(header, licence) == 0 || length(licence) < 2000 }' \
        "$out/header.words" "$out/licence.words"
}

if [ -f README.md ]; then
    test_readme
else
    check "README.md is there" false
fi
test_quickstart
test_manual
test_licence
report test_docs
