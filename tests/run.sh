#!/bin/sh
# Builds and runs the tests: tests/run.sh [test ...], all of them without arguments. Every
# tests/test_*.c is a program, built once for float and once for double; every tests/test_*.sh
# is a script. Each ends with the line "NAME: N passed, N failed[, N skipped]".
#
#   CC          the compiler (cc)
#   CFLAGS      more options for it, such as -fsanitize=address,undefined
#   THOROUGH=1  also what takes minutes to compile
#   RUN         a command that runs the programs, such as "valgrind -q --error-exitcode=1"
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc}
CFLAGS=${CFLAGS:-}
export CC CFLAGS
out=build/tests
mkdir -p "$out" || exit 1
passed=0 failed=0 skipped=0

# number LINE WORD: the number that stands before WORD in a last line, or nothing.
number() {
    printf '%s\n' "$1" |
        sed -n "s/^[^:]*:.*[ ]\([0-9][0-9]*\) $2.*/\1/p"
}

# run NAME LOG COMMAND...: a crash, a non-zero exit that no failed check explains, and a last line
# that is not the agreed one count as one failure.
run() {
    name=$1 log=$2
    shift 2
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    last=$(tail -n 1 "$log")
    p=$(number "$last" passed) f=$(number "$last" failed) s=$(number "$last" skipped)
    if [ -z "$p" ] || [ -z "$f" ]; then
        p=0 f=1
        last="$name: broke off, exit status $status"
    elif [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
        last="$last, but exit status $status"
    fi
    last="$name: ${last#*: }"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
    # All but the last line, which follows under the test's full name.
    [ "$f" -eq 0 ] || sed 's/^/    /; $d' "$log"
    [ "$f" -ne 0 ] || [ "${s:-0}" -eq 0 ] || grep ': skipped: ' "$log" | sed 's/^/    /'
    echo "$last"
}

# program SOURCE SUFFIX OPTION...: builds a test program and runs it.
program() {
    exe=$out/$(basename "$1" .c)$2
    source=$1
    shift 2
    # CC, CFLAGS and RUN are lists of words.
    # shellcheck disable=SC2086
    if $CC -O2 -std=c99 -Wall -Wextra -I. "$@" $CFLAGS -o "$exe" "$source" >"$exe.log" 2>&1; then
        run "$(basename "$exe")" "$exe.log" ${RUN:-} "./$exe"
    else
        failed=$((failed + 1))
        sed 's/^/    /' "$exe.log"
        echo "$(basename "$exe"): does not build"
    fi
}

[ $# -gt 0 ] || set -- tests/test_*.c tests/test_*.sh
for test in "$@"; do
    case $test in
    *.c)
        program "$test" ""
        program "$test" _double -DBACKPROP_DOUBLE
        ;;
    *.sh)
        run "$(basename "$test" .sh)" "$out/$(basename "$test" .sh).log" sh "$test"
        ;;
    *)
        failed=$((failed + 1))
        echo "$test: not a test"
        ;;
    esac
done

total="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || total="$total, $skipped skipped"
echo "$total"
[ "$failed" -eq 0 ]
