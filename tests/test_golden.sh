#!/bin/sh
# test_golden.sh - golden.c gives its hashes whatever builds it and wherever it runs. By itself a
# few builds with $CC; with THOROUGH=1 everything: gcc and clang, levels of optimisation, instruction
# sets, threads, and other processors under qemu. Prints a table, one row a build and precision.
# $RUN is not used. CC, CFLAGS, runner and arguments are lists of words.
# shellcheck disable=SC2086
out=build/tests/golden
mkdir -p "$out" || exit 1
. tests/check.sh
rows=$out/rows
: >"$rows"

# Each run gets one of the arguments: an instruction set, or how many threads.
arguments=1
runner=

# row VERDICT LOG WORD...: a row of the table, and the log if it is not good.
row() {
    verdict=$1 log=$2
    shift 2
    printf '%-15s %s\n' "$verdict" "$*"
    echo "$verdict" >>"$rows"
    [ "$verdict" = same ] || [ "$verdict" = skipped ] || tail -n 3 "$log" | sed 's/^/    /'
}

# one PRECISION COMMAND...: builds and runs with each of the arguments.
one() {
    exe=$out/golden_$1 log=$out/golden_$1.log
    label="$(echo "$1" | tr '[:upper:]' '[:lower:]'):" precision=-DBACKPROP_$1
    shift
    if ! "$@" $precision -I. -o "$exe" tests/golden.c >"$log" 2>&1; then
        row "does not build" "$log" "$label" "$@"
        return
    fi
    for argument in $arguments; do
        verdict=same
        $runner "$exe" "$argument" >"$log" 2>&1 </dev/null || verdict=DIFFERS
        ! grep '^golden: 0 passed, 0 failed' "$log" >/dev/null || verdict=skipped
        grep '^golden: ' "$log" >/dev/null || verdict=crashed
        row $verdict "$log" "$label" "$@" ": $argument"
    done
}

# both COMMAND...: float and double at the same time.
both() {
    one FLOAT "$@" >"$out/table" &
    one DOUBLE "$@"
    wait
    cat "$out/table"
}

# with COMPILER OPTION...: both, if the compiler is there and knows the options.
with() {
    if works "$@"; then
        both "$@"
    else
        skip "no $*"
    fi
}

# has_fma COMPILER OPTION...: fused multiply-add is among what is compiled for.
has_fma() {
    "$@" -dM -E -x c /dev/null 2>/dev/null | grep '__FMA__\|__ARM_FEATURE_FMA' >/dev/null
}

# What every compiler is asked.
few() {
    arguments="1 2 3 4"
    with "$1" -std=c99 -O0 -fopenmp $CFLAGS
    arguments="1 plain sse2"
    with "$1" -std=c99 -O0 -DBACKPROP_EXACT $CFLAGS
    with "$1" -std=gnu17 -O1 -march=native -ffp-contract=fast $CFLAGS
    arguments="1"
    with "$1" -std=c99 -O1 -DBACKPROP_NO_SIMD -DBACKPROP_EXACT $CFLAGS
    fast_math "$1"
}

fast_math() {
    if ! works "$1" -ffast-math; then
        skip "$1 has no -ffast-math"
        return
    fi
    refuse "$1 -ffast-math" BACKPROP_ALLOW_FAST_MATH $1 -std=c99 -O1 -ffast-math -I. -fsyntax-only \
        tests/golden.c
    refuse "$1 -Ofast" BACKPROP_ALLOW_FAST_MATH $1 -std=c99 -Ofast -I. -fsyntax-only tests/golden.c
    check "$1 -ffast-math, allowed" $1 -std=c99 -O0 -ffast-math -DBACKPROP_ALLOW_FAST_MATH -I. \
        -o "$out/fast" tests/golden.c
    check "$1 -ffast-math, allowed, runs" "$out/fast" all
}

many() {
    arguments="1 avx2"
    for level in -O1 -O2 -O3 -Os; do
        with "$1" -std=c99 $level
    done
    arguments="1 avx2 sse2 plain"
    for level in -O0 -O2; do
        with "$1" -std=c99 $level -march=native
    done
    arguments="1"
    with "$1" -std=gnu17 -O1 -march=native -ffp-contract=off
    with "$1" -std=gnu17 -O3 -march=native -DBACKPROP_NO_SIMD -ffp-contract=fast
    arguments="1 2 3 4"
    with "$1" -std=c99 -O1 -fopenmp
    # Where the machine has it, or the program would not run.
    if has_fma "$1" -march=native && works "$1" -mfma; then
        arguments=1
        with "$1" -std=c99 -O2 -DBACKPROP_NO_SIMD -mfma
        with "$1" -std=gnu17 -O1 -DBACKPROP_NO_SIMD -mfma -ffp-contract=fast
    else
        skip "$1: no -mfma here"
    fi
}

# cross PROCESSOR COMPILER OPTION...: for another processor, run by qemu if need be.
cross() {
    runner=$(command -v "qemu-$1-static" || command -v "qemu-$1" || true)
    shift
    if ! works "$1" -static; then
        skip "no $1"
    elif [ -z "$runner" ] && ! works_here "$1"; then
        skip "no qemu for $1"
    else
        both "$@" -std=c99 -O2 -static
        both "$@" -std=gnu17 -O1 -ffp-contract=fast -static
    fi
    runner=
}

works_here() {
    works "$1" -static && "$out/works"
}

# Every level of one instruction set against all others, now that all are fused.
levels() {
    check "$1: test_simd.c, exact" $1 -std=c99 -O1 -DBACKPROP_EXACT -I. -o "$out/levels" \
        tests/test_simd.c
    check "$1: every instruction set, exact" "$out/levels"
}

if [ -z "${THOROUGH:-}" ]; then
    few $CC
else
    for compiler in gcc clang; do
        if works $compiler; then
            few $compiler
            many $compiler
        else
            skip "no $compiler"
        fi
    done
    arguments="1 plain"
    cross aarch64 aarch64-linux-gnu-gcc
    arguments=1
    cross riscv64 riscv64-linux-gnu-gcc
    cross ppc64le powerpc64le-linux-gnu-gcc
    cross s390x s390x-linux-gnu-gcc
    cross arm arm-linux-gnueabihf-gcc -DBACKPROP_EXACT
    cross i386 i686-linux-gnu-gcc -DBACKPROP_EXACT -msse2 -mfpmath=sse
    with musl-gcc -std=c99 -O1
    with musl-gcc -std=c99 -O1 -DBACKPROP_NO_SIMD -DBACKPROP_EXACT
    with tcc -DBACKPROP_EXACT
    levels $CC
fi

passed=$((passed + $(grep -c '^same' "$rows")))
skipped=$((skipped + $(grep -c '^skipped' "$rows")))
failed=$((failed + $(grep -c -v '^same\|^skipped' "$rows")))
report golden
