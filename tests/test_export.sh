#!/bin/sh
# test_export.sh - C files made by bp_export_c, compiled as a user would, against bp_predict.
# CC, CFLAGS and the like are lists of words:
# shellcheck disable=SC2086
out=build/tests/export
mkdir -p "$out" || exit 1
rm -rf "${out:?}"/*
. tests/check.sh
names="one quickstart odd deep wide lanes hard digits"
strict="-Wall -Wextra -Wpedantic -Wconversion -Wdouble-promotion -Wshadow -Werror"

# write OPTION...: exports the networks by a library built with the options, because these may
# choose a processor with other arithmetic.
write() {
    options="-std=c99 -O1 -I. -D$precision=1 $* $CFLAGS"
    check "library, $precision $*" $CC $options -c -o "$out/impl.o" tests/build/impl.c
    check "exporter, $precision $*" $CC $options -o "$out/write" tests/build/export.c \
        "$out/impl.o"
    check "exporting, $precision $*" "$out/write" "$out"
    check "no temporary is left" sh -c "! ls $out/*.tmp"
    check "comparer, $precision $*" $CC $options -DCOMPARE -c -o "$out/compare.o" \
        tests/build/export.c
}

# compare COMPILER OPTION...: the files exported last, compiled with the options.
compare() {
    if ! works "$@"; then
        skip "no $*"
        return
    fi
    compiler=$1
    shift
    for name in $names; do
        check "$precision $name.c, $compiler $*" $compiler "$@" $strict $CFLAGS -c \
            -o "$out/$name.o" "$out/$name.c"
    done
    # shellcheck disable=SC2046
    check "linking, $precision $compiler $*" $compiler $CFLAGS -o "$out/compare" "$out/compare.o" \
        "$out/impl.o" $(printf "$out/%s.o " $names)
    check "outputs, $precision $compiler $*" "$out/compare"
}

for precision in BACKPROP_FLOAT BACKPROP_DOUBLE; do
    write
    compare "$CC" -std=c99 -O2
    compare "$CC" -std=c99 -O0
    compare "$CC" -std=c99 -O3 -march=native
    compare "$CC" -std=gnu99 -O2 -march=native -ffp-contract=fast
    # The file is C; that a C++ compiler takes it, too, is for programs that have no other.
    compare "$CXX" -x c++ -std=c++98 -O2
    # A network that computed with fused multiply-add is to give the same without.
    if works "$CC" -march=native; then
        write -march=native
        compare "$CC" -std=c99 -O2
        compare "$CC" -std=c99 -O3 -march=native
    else
        skip "$CC does not know -march=native"
    fi
done
report test_export
