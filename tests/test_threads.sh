#!/bin/sh
# test_threads.sh - tests/build/threads.c as it is, and watched by the thread sanitizer.
# CC, CFLAGS and the like are lists of words:
# shellcheck disable=SC2086
out=build/tests/threads
mkdir -p "$out" || exit 1
. tests/check.sh
echo '#include <pthread.h>' >"$out/pthread.c"

# quiet COMMAND...: works, says how many checks passed, and no race was seen.
quiet() {
    "$@" >"$out/said" 2>&1
    status=$?
    cat "$out/said"
    [ $status -eq 0 ] && ! grep 'WARNING: ThreadSanitizer' "$out/said" &&
        grep 'passed, 0 failed' "$out/said"
}

# threads WHAT RUNNER OPTION...: builds the program with the options, and runs it by RUNNER.
threads() {
    what=$1 runner=$2
    shift 2
    for precision in BACKPROP_FLOAT BACKPROP_DOUBLE; do
        check "$what, $precision: builds" $CC -std=c99 -O1 -g -pthread -D$precision -I. "$@" \
            -o "$out/threads" tests/build/threads.c
        check "$what, $precision: the same bits, no race" quiet $runner "$out/threads" "$out"
    done
}

# finds RUNNER: the sanitizer runs here. On some kernels it cannot find its place in memory unless
# addresses are not random.
finds() {
    works $CC -fsanitize=thread && $1 "$out/works" >/dev/null 2>&1
}

if ! $CC -pthread -fsyntax-only "$out/pthread.c" >/dev/null 2>&1; then
    skip "no POSIX threads"
else
    threads "threads" "" $CFLAGS
    case $CFLAGS in
    *-fsanitize=*) skip "other sanitizers are at work already" ;;
    *)
        if finds ""; then
            threads "thread sanitizer" "" $CFLAGS -fsanitize=thread
        elif finds "setarch -R"; then
            threads "thread sanitizer" "setarch -R" $CFLAGS -fsanitize=thread
        else
            skip "$CC has no thread sanitizer that works here"
        fi
        ;;
    esac
fi
report test_threads
