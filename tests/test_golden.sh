#!/bin/sh
# test_golden.sh - golden.c gives its hashes in a few builds with $CC, and -ffast-math is refused.
# matrix.sh has the other options, compilers, processors and systems. $RUN is not used.
# shellcheck disable=SC2034,SC2086
out=build/tests/golden
mkdir -p "$out" || exit 1
. tests/check.sh
. tests/golden.sh

test_hashes() {
    arguments="1 2 3 4"
    try_row $CC -std=c99 -O0 -fopenmp $CFLAGS
    arguments="1 plain"
    try_row $CC -std=c99 -O0 -DBACKPROP_EXACT $CFLAGS
    arguments="1 plain sse2"
    try_row $CC -std=gnu17 -O2 -march=native -ffp-contract=fast $CFLAGS
    arguments=1
    try_row $CC -std=c99 -O1 -DBACKPROP_NO_SIMD -DBACKPROP_EXACT $CFLAGS
}

test_fast_math() {
    if ! works $CC -ffast-math; then
        skip "$CC has no -ffast-math"
        return
    fi
    for option in -ffast-math -Ofast -ffinite-math-only; do
        refuse "$CC $option" BACKPROP_ALLOW_FAST_MATH $CC -std=c99 -O1 $option -I. -fsyntax-only \
            tests/golden.c
    done
    check "$CC -ffast-math, allowed" $CC -std=c99 -O0 -ffast-math -DBACKPROP_ALLOW_FAST_MATH -I. \
        -o "$out/fast" tests/golden.c
    check "$CC -ffast-math, allowed, runs" "$out/fast" all
}

test_hashes
test_fast_math
golden_report golden
