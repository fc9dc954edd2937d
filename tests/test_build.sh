#!/bin/sh
# test_build.sh - the header in every configuration and language it promises: no warnings, the
# same bits, nothing exported but bp_..., nothing asked of the linker but what is said.
# With THOROUGH=1 also where compiling takes long: higher levels of optimisation.
# CC, CFLAGS and the like are lists of words:
# shellcheck disable=SC2086
out=build/tests/build
mkdir -p "$out" || exit 1
. tests/check.sh
src=tests/build

# ---- no warnings, in any standard and configuration ----

switches="-DBACKPROP_FLOAT -DBACKPROP_DOUBLE -DBACKPROP_STATIC -DBACKPROP_NO_STDIO
    -DBACKPROP_NO_SIMD -DBACKPROP_NO_THREADS -DBACKPROP_EXACT"

# clean COMMAND...: no warnings in any configuration.
clean() {
    for switch in $switches; do
        check "no warnings with $* $switch" "$@" $switch -I. -fsyntax-only $src/impl.c
    done
    check "no warnings in declarations with $*" "$@" -I. -fsyntax-only $src/declarations.c
}

test_warnings() {
    if works "$CC" $c_warnings; then
        clean $CC -std=c99 $c_warnings
        for standard in c11 c17 c2x gnu99 gnu17; do
            if works "$CC" -std=$standard; then
                check "no warnings in $standard" $CC -std=$standard $c_warnings -I. \
                    -fsyntax-only $src/impl.c
            else
                skip "$CC does not know $standard"
            fi
        done
        # Some are found only on the way to optimised code.
        for switch in ${THOROUGH:+-DBACKPROP_FLOAT -DBACKPROP_DOUBLE -DBACKPROP_NO_SIMD}; do
            check "no warnings at -O3 $switch" $CC -std=c99 -O3 $c_warnings $switch -I. -c \
                -o "$out/impl.o" $src/impl.c
        done
    else
        skip "$CC does not know the strict warnings"
    fi
    # All of clang's warnings but: padding of structs, which is no fault; a cast of what a function
    # returns, which is the explicit conversion that another warning asks for; the attribute that
    # silences unused static functions on those in use; and advice that only C++ can follow.
    if works "$CC" -Weverything; then
        for switch in $switches; do
            check "no warnings with -Weverything $switch" $CC -std=c99 -Weverything -Werror \
                -Wno-unknown-warning-option -Wno-padded -Wno-bad-function-cast \
                -Wno-used-but-marked-unused -Wno-unsafe-buffer-usage $switch -I. -fsyntax-only \
                $src/impl.c
        done
    else
        skip "$CC has no -Weverything"
    fi
}

test_warnings_cxx() {
    for standard in c++98 c++11 c++17 c++20 c++2b; do
        if works "$CXX" -std=$standard; then
            for switch in -DBACKPROP_FLOAT -DBACKPROP_DOUBLE -DBACKPROP_STATIC; do
                check "no warnings in $standard $switch" $CXX -x c++ -std=$standard $warnings \
                    $switch -I. -fsyntax-only $src/impl.c
            done
        else
            skip "no $CXX with $standard"
        fi
    done
}

# ---- the same bits ----

# same PRECISION COMMAND...: builds user.c by a command. It prints the arithmetic it was built for
# (with fused multiply-add or without, or unknown) and a hash, which must be that of the first
# build for the same arithmetic.
same() {
    hashes=$out/hashes_$1 precision=$1
    shift
    check "$* builds" "$@" -D$precision -I. $CFLAGS -o "$out/user" $src/user.c $impl
    check "$* runs" "$out/user"
    bits=$(tail -n 1 "$out/log")
    touch "$hashes"
    case $bits in
    unknown*) ;;
    *) grep "^${bits% *} " "$hashes" >/dev/null || echo "$bits" >>"$hashes" ;;
    esac
    check "$* gives ${bits} as others do" grep "${bits#unknown}\$" "$hashes"
}

# single COMMAND..., both COMMAND...: the same for float, and for double too, if the compiler knows
# the options.
single() {
    if works "$@"; then
        same BACKPROP_FLOAT "$@" -DBACKPROP_IMPLEMENTATION
    else
        skip "no $*"
    fi
}

both() {
    single "$@"
    ! works "$@" || same BACKPROP_DOUBLE "$@" -DBACKPROP_IMPLEMENTATION
}

test_bits() {
    rm -f "$out"/hashes_*
    impl=
    both $CC -std=c99 -O2
    both $CC -std=c99 -O0
    single $CC -std=c99 -O0 -march=native
    both $CC -std=gnu17 -O1 -march=native -ffp-contract=fast
    both $CC -std=c99 -O1 -DBACKPROP_NO_SIMD
    both $CC -std=c99 -O1 -DBACKPROP_NO_SIMD -DBACKPROP_EXACT
    both $CC -std=c99 -O1 -DBACKPROP_NO_SIMD -march=native -ffp-contract=fast
    single $CC -std=c99 -O0 -DBACKPROP_NO_THREADS
    single $CC -std=c99 -O0 -DWITH_ASSERT
    single $CC -std=c99 -O1 -fopenmp
    single $CC -std=c99 -O0 -fopenmp -DBACKPROP_NO_THREADS
    both $CXX -x c++ -std=c++98 -O0
    single $CXX -x c++ -std=c++17 -O0
    [ -n "${THOROUGH:-}" ] || return
    both $CC -std=c99 -O3
    both $CC -std=c99 -O3 -march=native
    both $CC -std=gnu17 -O2 -march=native -ffp-contract=fast
    both $CXX -x c++ -std=c++98 -O2
    both $CXX -x c++ -std=c++17 -O2
}

# ---- several files ----

test_several_files() {
    check "the implementation alone" $CC -std=c99 -O1 -I. $CFLAGS -c -o "$out/impl.o" $src/impl.c
    impl=$out/impl.o
    same BACKPROP_FLOAT $CC -std=c99 -O1
    if works "$CXX"; then
        check "a C++ program that uses the C implementation" $CXX -O0 -I. $CFLAGS -c \
            -o "$out/user.o" -x c++ $src/user.c
        check "linked" $CXX $CFLAGS -o "$out/user" "$out/user.o" "$out/impl.o"
        check "runs" "$out/user"
        check "the implementation in C++" $CXX -O0 -I. $CFLAGS -c -o "$out/impl.o" -x c++ \
            $src/impl.c
        check "a C program that uses it" $CC -std=c99 -O0 -I. $CFLAGS -c -o "$out/user.o" \
            $src/user.c
        check "linked" $CXX $CFLAGS -o "$out/user" "$out/user.o" "$out/impl.o"
        check "runs" "$out/user"
    else
        skip "no $CXX: C and C++ in one program"
    fi
    check "included four times" $CC -std=c99 -O0 $CFLAGS -I. -o "$out/twice" $src/twice.c
    check "included four times" "$out/twice"
}

# ---- switches that forbid ----

test_switches() {
    refuse "BACKPROP_MALLOC alone" BACKPROP_FREE $CC -std=c99 -I. -c -o "$out/impl.o" \
        '-DBACKPROP_MALLOC(size)=NULL' $src/impl.c
    refuse "BACKPROP_FREE alone" BACKPROP_MALLOC $CC -std=c99 -I. -c -o "$out/impl.o" \
        '-DBACKPROP_FREE(pointer)=(void)0' $src/impl.c
    check "without malloc and stdio" $CC -std=c99 -O1 -I. $CFLAGS -o "$out/bare" $src/bare.c
    check "XOR without malloc and stdio" "$out/bare"
}

# ---- what the object file says ----

# symbols SOURCE OPTION...: an object without sanitizers, as nm lists it: name, then type.
symbols() {
    source=$1
    shift
    check "$source compiles with $*" $CC -std=c99 -O1 $position -I. "$@" -c -o "$out/nm.o" "$source"
    nm -P "$out/nm.o" >"$out/nm" || return 1
    # Mach-O writes an underscore before each name.
    sed 's/^_\(bp\)/\1/' "$out/nm" | awk '{ print $1, $2 }' >"$out/symbols"
}

# none WHAT PATTERN: no line of the list matches.
none() {
    check "$1" sh -c "! grep -E '$2' $out/symbols"
}

memory="memcpy|memset|memmove|memcmp|memchr|strlen|strcmp|strchr|strspn|strstr"
memory="_?($memory|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__mem.*_chk)"
stdio="fopen|fclose|fread|fwrite|fputs|fputc|putc|sprintf|__sprintf_chk|fflush|ferror"
stdio="_?($stdio|feof|rename|remove|fprintf|__fprintf_chk)"

test_objects() {
    if ! command -v nm >/dev/null 2>&1; then
        skip "no nm"
        return
    fi
    # Constant tables of pointers are relocated, and so look writable, where code may be moved.
    position=
    ! works "$CC" -fno-pic -no-pie || position="-fno-pic"
    for switch in $switches; do
        symbols $src/impl.c $switch
        none "$switch: nothing global but bp_" '^([^b]|b[^p]|bp[^_]).* [A-TV-Z]$'
        none "$switch: no writable data" ' [bBdDC]$'
        sed -E "/^($memory|_?malloc|_?free|$stdio) U$/d" "$out/symbols" >"$out/rest"
        mv "$out/rest" "$out/symbols"
        none "$switch: nothing else asked of the linker" ' U$'
    done
    symbols $src/impl.c -DBACKPROP_NO_STDIO
    sed -E "/^($memory|_?malloc|_?free) U$/d" "$out/symbols" >"$out/rest"
    mv "$out/rest" "$out/symbols"
    none "BACKPROP_NO_STDIO needs no stdio" ' U$'
    symbols $src/bare.c
    sed -E "/^$memory U$/d" "$out/symbols" >"$out/rest"
    mv "$out/rest" "$out/symbols"
    none "neither malloc nor stdio" ' U$'
}

# test_macros OPTION: names that the header leaves defined in the user's file.
test_macros() {
    if ! $CC -std=c99 -I. $1 -dD -E $src/impl.c >"$out/macros" 2>/dev/null; then
        skip "$CC does not list macros"
        return
    fi
    awk '/^# [0-9]/ { ours = /backprop.h"/ }
        ours && $1 == "#define" { sub(/\(.*/, "", $2); defined[$2] = 1 }
        ours && $1 == "#undef" { delete defined[$2] }
        END { for (name in defined) print name }' "$out/macros" >"$out/symbols"
    check "$1: macros are listed" grep BACKPROP_VERSION "$out/symbols"
    none "$1: no macro but BACKPROP_, BPI_ and bpi_" '^([^Bb]|B[^AP]|BP[^I_]|b[^p]|bp[^i]|bpi[^_])'
}

test_warnings
test_warnings_cxx
test_bits
test_several_files
test_switches
test_objects
for switch in $switches; do
    test_macros $switch
done
report test_build
