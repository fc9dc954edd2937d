#!/bin/sh
# coverage.sh - which lines and branches of backprop.h the test programs reach. It fails below 100 %
# of lines or 95 % of branches, and lists what is missing. Needs clang, llvm-profdata and llvm-cov.
#
# Every test program is built in both precisions and in each of the configurations below. A line
# counts as reached if any of them reaches it, and so does each way out of a condition; where a
# function is compiled several times, once for each instruction set, one is enough, and what the
# others lack is not told. What this machine cannot compile is not counted. Lists of words:
# shellcheck disable=SC2086
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-clang}
out=build/tests/coverage
rm -rf "$out"
mkdir -p "$out" || exit 1
. tests/check.sh
instrument="-fprofile-instr-generate -fcoverage-mapping"

# cover SOURCE OPTION...: builds and runs a test program; what it reached goes to $out/shown.
cover() {
    source=$1 exe=$out/$(basename "$1" .c)
    shift
    check "$source $* builds" $CC -O1 -std=c99 $instrument -I. "$@" -o "$exe" "$source"
    check "$source $* runs" env LLVM_PROFILE_FILE="$exe.profraw" ${machine:-} "$exe"
    check "$source $* has a profile" llvm-profdata merge -o "$exe.profdata" "$exe.profraw"
    llvm-cov show "$exe" -instr-profile="$exe.profdata" -show-branches=count \
        -show-instantiations backprop.h >>"$out/shown"
}

# Prints what is missing and, last, the totals. A condition is named by its line and column; those
# of assertions have one way out by design.
summarise() {
    awk '
    { sub(/^ *\| */, "") }
    /^bpi?_[a-z0-9_]+:$/ { name = $0; next }
    /^ *[0-9]+\|/ {
        split($0, field, "|")
        line = field[1] + 0
        text[line] = substr($0, length(field[1]) + length(field[2]) + 3)
        if (field[2] ~ /[0-9]/) lines[line] = 1
        if (field[2] ~ /[1-9]/) reached[line] = 1
        if (line > last) last = line
    }
    /Branch \(.*True: / && text[line] !~ /BACKPROP_ASSERT/ {
        split($0, field, /[(),:\[\] ]+/)
        at = field[2] ":" field[3]
        branches[field[2], at "T"] += field[5] != "0"
        branches[field[2], at "F"] += field[7] != "0"
    }
    END {
        for (line = 1; line <= last; line++)
            if (line in lines) {
                total++
                if (line in reached) covered++
                else print "line " line ": " text[line]
            }
        for (key in branches) {
            split(key, field, SUBSEP)
            all++
            if (branches[key]) taken++
            else
                missing[field[1]] = missing[field[1]] " " substr(field[2], index(field[2], ":") + 1)
        }
        for (line = 1; line <= last; line++)
            if (line in missing && line in reached)
                print "branch " line ", column" missing[line] ": " text[line]
        printf "lines %d of %d, branches %d of %d\n", covered, total, taken, all
        exit !(covered == total && taken >= 0.95 * all)
    }' "$out/shown"
}

for tool in "$CC" llvm-profdata llvm-cov; do
    command -v "$tool" >/dev/null 2>&1 || missing=$tool
done
if [ -n "${missing:-}" ]; then
    skip "no $missing"
elif ! works "$CC" $instrument; then
    skip "$CC cannot count"
else
    # Everything once; then what only other configurations compile.
    for precision in -DBACKPROP_FLOAT -DBACKPROP_DOUBLE; do
        for source in tests/test_*.c; do
            cover "$source" $precision
        done
        cover tests/test_math.c $precision -DBACKPROP_NO_SIMD -DBACKPROP_EXACT
        cover tests/test_simd.c $precision -march=native
        cover tests/test_simd.c $precision -DBACKPROP_NO_SIMD
        ! works "$CC" -fopenmp || cover tests/test_train.c $precision -fopenmp
    done
    # Machines that lack what this one has.
    mkdir -p build/tests/build
    for model in qemu64,level=1 Nehalem Haswell; do
        machine="qemu-x86_64-static -cpu $model"
        if command -v qemu-x86_64-static >/dev/null 2>&1; then
            cover tests/build/user.c -DBACKPROP_IMPLEMENTATION
        else
            skip "no qemu-x86_64-static for a $model"
        fi
    done
    summarise >"$out/summary" && enough=true || enough=false
    cat "$out/summary"
    check "100 % of lines and 95 % of branches" $enough
fi
report coverage
