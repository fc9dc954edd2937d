#!/bin/sh
# test_consumer.sh - the header in other people's programs: each project of tests/consumer is
# copied, backprop.h is put beside it as whoever vendors it would, and it is built and run in the
# way of its kind, with strict warnings where the user decides on them.
# CC, CFLAGS and the like are lists of words:
# shellcheck disable=SC2086
out=$PWD/build/tests/consumer
mkdir -p "$out" || exit 1
. tests/check.sh
works "$CC" $c_warnings || warnings='' c_warnings=''
c_warnings=$(printf '%s ' $c_warnings) # in one line

# project NAME COPY: a fresh copy, and from here on $copy.
project() {
    copy=$out/$2
    rm -rf "$copy"
    cp -R "tests/consumer/$1" "$copy" && cp backprop.h "$copy"
}

# at COMMAND...: runs in the copy.
at() {
    (cd "$copy" && "$@")
}

# answers WHAT LINE COMMAND...: the command prints the line and nothing else.
answers() {
    what=$1 line=$2
    shift 2
    check "$what runs" at "$@"
    check "$what prints \"$line\"" test "$(cat "$out/log")" = "$line"
}

test_program() {
    project program c
    check "C program" at $CC -std=c99 -O1 $c_warnings $CFLAGS -o xor main.c backprop.c
    answers "C program" "xor: 0110" ./xor
    check "it has saved its network" test -s "$copy/xor.net"
}

test_cmake() {
    if ! command -v cmake >/dev/null 2>&1; then
        skip "no cmake"
        return
    fi
    project program cmake
    check "CMake configures" at env CC="$CC" cmake -S . -B build -DCMAKE_C_FLAGS="$c_warnings"
    check "CMake builds" at cmake --build build
    check "CMake tests" at cmake --build build --target test
    answers "CMake project" "xor: 0110" build/xor
}

test_meson() {
    if ! command -v meson >/dev/null 2>&1 || ! command -v ninja >/dev/null 2>&1; then
        skip "no meson and ninja"
        return
    fi
    project program meson
    check "Meson configures" at env CC="$CC" CFLAGS="$c_warnings" meson setup build
    check "Meson builds" at ninja -C build
    check "Meson tests" at meson test -C build
    answers "Meson project" "xor: 0110" build/xor
}

test_cxx() {
    if ! works "$CXX" -std=c++11; then
        skip "no $CXX with -std=c++11"
        return
    fi
    project cxx cxx
    check "C++ program" at $CXX -std=c++11 -O1 $warnings $CFLAGS -o xor main.cpp
    answers "C++ program" "xor: 0110" ./xor
}

test_shared() {
    if ! works "$CC" -shared -fPIC; then
        skip "$CC makes no shared libraries"
        return
    fi
    project shared shared
    check "shared library" at $CC -std=c99 -O1 $c_warnings $CFLAGS -fPIC -shared -o libgate.so \
        gate.c
    check "program with it" at $CC -std=c99 -O1 $c_warnings $CFLAGS -o gate main.c -L. -lgate
    answers "program with a shared library" "nand: 1110" env LD_LIBRARY_PATH=. ./gate
    [ -z "$(command -v nm)" ] || test_names libgate.so -D gate_learn
}

# Two private copies, float and double, in one program.
test_two() {
    project two two
    for part in learn answer main; do
        check "$part.c" at $CC -std=c99 -O1 $c_warnings $CFLAGS -c $part.c
        [ -z "$(command -v nm)" ] || test_names $part.o "" $part
    done
    check "float and double in one program" at $CC $CFLAGS -o two learn.o answer.o main.o
    answers "float and double in one program" "xor: 0110" ./two
}

# test_names FILE OPTION NAME: the only name of its own by which others can link to the file. The
# linker adds some that begin with an underscore; so does Mach-O to every name.
test_names() {
    nm -P -g $2 "$copy/$1" | awk '$2 ~ /^[A-TV-Z]$/ { sub(/^_/, "", $1); print $1 }' |
        grep -v '^_' >"$out/names"
    check "$1 exports $3 and nothing else: $(tr '\n' ' ' <"$out/names")" \
        test "$(cat "$out/names")" = "$3"
}

test_program
test_cmake
test_meson
test_cxx
test_shared
test_two
command -v nm >/dev/null 2>&1 || skip "no nm: what is exported is not looked at"
report test_consumer
