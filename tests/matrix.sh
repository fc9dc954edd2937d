#!/bin/sh
# matrix.sh - the same bits on every platform: tests/matrix.sh [part ...], of the parts options,
# languages, linux, windows and web; all of them without arguments.
#
# Builds golden.c (and tests beside it) with each compiler, option, language and target that is
# installed, runs it there, under qemu, wine or node if need be, and has it write and read files.
# Prints a table, one row a build; what is not installed is skipped and counted.
# runner is a list of words.
# shellcheck disable=SC2034,SC2086
cd "$(dirname "$0")/.." || exit 1
out=build/tests/matrix reference=build/tests/matrix/reference
mkdir -p "$out" "$reference" || exit 1
unset CFLAGS
. tests/check.sh
. tests/golden.sh

# The files that every platform is to write: for both precisions that of a network trained there
# (FLOAT, DOUBLE), and what comes of reading each of the two (FLOAT.DOUBLE: double read by float).
make_reference() {
    rm -f "$reference"/*
    for precision in FLOAT DOUBLE; do
        check "reference, $precision" $CC -std=c99 -O1 -DBACKPROP_EXACT -DBACKPROP_$precision -I. \
            -o "$out/$precision.exe" tests/golden.c
        check "reference, $precision, writes" "$out/$precision.exe" write "$reference/$precision"
    done
    for precision in FLOAT DOUBLE; do
        for from in FLOAT DOUBLE; do
            check "reference, $precision, reads $from" "$out/$precision.exe" read \
                "$reference/$from" "$reference/$precision.$from"
        done
    done
}

# runs RUNNER COMPILER OPTION...: a program so built runs here; else says what is missing. An empty
# runner is one that is not installed, env one that changes nothing.
runs() {
    runner=$1
    shift
    echo 'int main(void) { return 0; }' >"$out/probe.c"
    if ! "$@" -o "$out/probe.exe" "$out/probe.c" >/dev/null 2>&1; then
        skip "no $1 for $target"
    elif [ -z "$runner" ] || ! $runner "$out/probe.exe" >/dev/null 2>&1 </dev/null; then
        skip "nothing that runs programs for $target"
    else
        return 0
    fi
    return 1
}

found() {
    command -v "$1" || command -v "$2" || true
}

# ---- options: optimisation, instruction sets, contraction, threads ----

# has_fma COMPILER OPTION...: fused multiply-add is among what is compiled for.
has_fma() {
    "$@" -dM -E -x c /dev/null 2>/dev/null | grep '__FMA__\|__ARM_FEATURE_FMA' >/dev/null
}

try_options() {
    arguments="1 avx2"
    for level in -O1 -O2 -O3 -Os; do
        try_row "$1" -std=c99 $level
    done
    arguments="1 avx2 sse2 plain"
    for level in -O0 -O2; do
        try_row "$1" -std=c99 $level -march=native
    done
    arguments=1
    try_row "$1" -std=gnu17 -O1 -march=native -ffp-contract=off
    try_row "$1" -std=gnu17 -O3 -march=native -DBACKPROP_NO_SIMD -ffp-contract=fast
    arguments="1 2 3 4"
    try_row "$1" -std=c99 -O1 -fopenmp
    arguments="avx512 avx2 plain"
    try_row "$1" -std=c99 -O1 -DBACKPROP_EXACT
    # Where the machine has it, or the program would not run.
    if has_fma "$1" -march=native && works "$1" -mfma; then
        arguments=1
        try_row "$1" -std=c99 -O2 -DBACKPROP_NO_SIMD -mfma
        try_row "$1" -std=gnu17 -O1 -DBACKPROP_NO_SIMD -mfma -ffp-contract=fast
    else
        skip "$1: no -mfma here"
    fi
}

part_options() {
    for compiler in gcc clang; do
        if works $compiler; then
            try_options $compiler
        else
            skip "no $compiler"
        fi
    done
}

# ---- languages ----

part_languages() {
    arguments=1
    for standard in c11 c17 c2x; do
        try_row gcc -std=$standard -O0
        try_row clang -std=$standard -O0
    done
    for standard in c++98 c++11 c++14 c++17 c++20; do
        try_row g++ -x c++ -std=$standard -O0
        try_row clang++ -x c++ -std=$standard -O0
    done
}

# ---- processors and C libraries of Linux ----

# cross PROCESSOR COMPILER OPTION...: for another processor.
cross() {
    target=$1 qemu=$(found "qemu-$1-static" "qemu-$1")
    shift
    # The machine itself may be one of these.
    [ -n "$qemu" ] || [ "$(uname -m)" != "$target" ] || qemu="env"
    runs "$qemu" "$@" -static && build_row "$@" -static
}

part_linux() {
    arguments=1 files=yes target=glibc
    # Their tests are run by make test.
    try_row gcc -std=c99 -O1
    try_row clang -std=c99 -O1
    target=musl float_tests=files double_tests=api
    try_row musl-gcc -std=c99 -O1
    float_tests='' double_tests=''
    try_row musl-gcc -std=c99 -O1 -DBACKPROP_NO_SIMD -DBACKPROP_EXACT
    target=glibc float_tests=files
    try_row tcc -DBACKPROP_EXACT
    target=i386
    if runs env i686-linux-gnu-gcc -static; then
        build_row i686-linux-gnu-gcc -std=c99 -O1 -DBACKPROP_EXACT -msse2 -mfpmath=sse -static
        check "a header in 32 bits, compiled" i686-linux-gnu-gcc -std=c99 -O1 -I. -static \
            -o "$out/guard.exe" tests/build/guard.c
        check "a header in 32 bits, and nothing behind it" "$out/guard.exe"
    fi
    # The tests of calls take minutes under qemu.
    double_tests=simd arguments="1 plain"
    cross aarch64 aarch64-linux-gnu-gcc -std=c99 -O1 &&
        compare_examples aarch64-linux-gnu-gcc -static
    double_tests='' arguments=1
    cross riscv64 riscv64-linux-gnu-gcc -std=c99 -O1
    cross ppc64le powerpc64le-linux-gnu-gcc -std=c99 -O1
    cross s390x s390x-linux-gnu-gcc -std=c99 -O1
    cross arm arm-linux-gnueabihf-gcc -std=c99 -O1 -DBACKPROP_EXACT
    # Once more where the compiler may fuse what it likes, and at the usual level.
    files='' float_tests=''
    cross aarch64 aarch64-linux-gnu-gcc -std=gnu17 -O2 -ffp-contract=fast
    cross riscv64 riscv64-linux-gnu-gcc -std=gnu17 -O2 -ffp-contract=fast
    cross ppc64le powerpc64le-linux-gnu-gcc -std=gnu17 -O2 -ffp-contract=fast
    cross s390x s390x-linux-gnu-gcc -std=gnu17 -O2 -ffp-contract=fast
    cross arm arm-linux-gnueabihf-gcc -std=gnu17 -O2 -ffp-contract=fast -mfpu=neon-vfpv4
}

# ---- Windows ----

windows_gcc=x86_64-w64-mingw32-gcc

# The compiler as its makers leave it: vectors of 32 and 64 bytes on the stack are moved as if they
# stood on such boundaries, and fault (gcc bug 54412). Debian's is mended; this undoes it.
unmended_gcc() {
    $windows_gcc -S "$@" &&
        sed '/(%r[sb]p/s/\(vmov\)u\(p[sd].*%[yz]mm\)/\1a\2/' "$exe" >"$exe.s" &&
        grep 'vmovap[sd].*%[yz]mm' "$exe.s" >/dev/null && $windows_gcc -o "$exe" "$exe.s"
}

part_windows() {
    WINEPREFIX=$PWD/$out/wine WINEDEBUG=-all
    export WINEPREFIX WINEDEBUG
    target=windows wine=$(found wine wine64)
    if runs "$wine" $windows_gcc; then
        files=yes float_tests=files double_tests=api arguments="1 avx2"
        build_row $windows_gcc -std=c99 -O1
        files='' float_tests='' double_tests=''
        build_row $windows_gcc -std=gnu17 -O2 -ffp-contract=fast
        build_row $windows_gcc -std=c99 -O0
        arguments="avx512 avx2 plain"
        build_row unmended_gcc -std=c99 -O2 -DBACKPROP_EXACT
        compare_examples $windows_gcc
    fi
    # It looks for gcc's own library elsewhere.
    set -- clang --target=x86_64-w64-windows-gnu \
        "-L$(dirname "$($windows_gcc -print-libgcc-file-name 2>/dev/null)")"
    if runs "$wine" "$@"; then
        files=yes float_tests=files arguments="1 avx2"
        build_row "$@" -std=c99 -O1
    fi
}

# ---- WebAssembly ----

part_web() {
    target=wasm32 files=yes float_tests=files arguments=1
    node=$(found node nodejs)
    set -- clang --target=wasm32-wasi
    if runs "${node:+$node --no-warnings tests/build/wasi.mjs}" "$@"; then
        build_row "$@" -std=c99 -O1 -DBACKPROP_EXACT
        # Its vectors have no fused multiply-add: they are held against plain C.
        files='' float_tests=simd double_tests=simd arguments=''
        build_row "$@" -msimd128 -std=c99 -O1
    fi
}

# ---- examples ----

# run_examples RUNNER DIRECTORY: what they print, but for speeds and ends of lines, and the network
# that learnt to read digits, which after the second epoch replaces that of the first.
run_examples() {
    $1 "$2/xor.exe" >"$2/xor.txt" 2>&1 &&
        $1 "$2/mnist.exe" --epochs 2 --save "$2/mnist.net" >"$2/mnist.txt" 2>&1 || return 1
    for text in "$2/xor.txt" "$2/mnist.txt"; do
        tr -d '\r' <"$text" | sed 's/ *[0-9]* examples\/s//' >"$text.plain"
    done
}

build_examples() {
    directory=$1
    shift
    rm -rf "$directory"
    mkdir -p "$directory"
    for example in xor mnist; do
        "$@" -std=c99 -O1 -I. -o "$directory/$example.exe" examples/$example.c || return 1
    done
}

# compare_examples COMMAND...: the examples give the same as when built for this machine.
compare_examples() {
    here=$out/examples there=$out/examples-$target
    check "examples for $target" build_examples "$there" "$@"
    check "examples on $target" run_examples "$runner" "$there"
    if [ ! -e "$here/mnist.net" ]; then
        check "examples" build_examples "$here" "$CC" -DBACKPROP_EXACT
        check "examples run" run_examples '' "$here"
    fi
    for file in xor.txt.plain mnist.txt.plain mnist.net; do
        check "$file of $target" cmp "$here/$file" "$there/$file"
    done
    printf '%-15s %-11s %-9s %-9s %s\n' - - - "$target" "examples xor and mnist: $*"
}

# ---- all ----

[ $# -gt 0 ] || set -- options languages linux windows web
rm -rf "$out/examples"
make_reference
for part in "$@"; do
    case $part in
    options | languages | linux | windows | web) part_$part ;;
    *)
        echo "matrix.sh: no part is called $part" >&2
        exit 1
        ;;
    esac
    target=here runner='' arguments=1 float_tests='' double_tests='' files=''
done
golden_report matrix
