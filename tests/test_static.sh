#!/bin/sh
# test_static.sh - static analysis without a finding: clang-tidy with clang's analyzer (the
# checks are in .clang-tidy), gcc's analyzer, cppcheck and shellcheck. All but the last take
# minutes: with THOROUGH=1 only.
# Whatever is told to keep quiet has its reason beside it. Lists of words:
# shellcheck disable=SC2086
out=build/tests/static
mkdir -p "$out" || exit 1
. tests/check.sh
plain="-std=c99 -I. -DBACKPROP_NO_SIMD"

have() {
    command -v "$1" >/dev/null 2>&1 || {
        skip "no $1"
        return 1
    }
}

# Clang's analyzer leaves out what an included file defines, and so all of impl.c, unless told. In
# tests it loses track of arrays whose lengths come from the network, and of a va_list from one
# function to the next; the sanitizers and valgrind see to these.
test_clang_tidy() {
    have clang-tidy || return
    for options in -DBACKPROP_FLOAT "-DBACKPROP_DOUBLE -DBACKPROP_NO_SIMD"; do
        check "clang-tidy, header, $options" clang-tidy --quiet tests/build/impl.c -- -std=c99 \
            -I. -Xclang -analyzer-opt-analyze-headers $options
    done
    # A finding must be one: here is a block that is not freed.
    printf '#include <stdlib.h>\n#include "leak.h"\n' >"$out/leak.c"
    echo 'int leak(void); int leak(void) { return malloc(1) != NULL; }' >"$out/leak.h"
    refuse "a leak in a header" unix.Malloc clang-tidy --quiet "$out/leak.c" -- -std=c99 \
        -Xclang -analyzer-opt-analyze-headers
    check "clang-tidy, examples" clang-tidy --quiet examples/*.c -- $plain
    check "clang-tidy, tests" clang-tidy --quiet \
        --checks='-clang-analyzer-*' tests/*.c tests/build/*.c \
        -- $plain
}

# gcc 12 follows a way on which a network does not fit into memory measured for it, and so calls
# the pointer null in programs that go on to use it. In vectors of its own notation it takes their
# number of places for bits of a type, and does not see what memcpy sets of them.
test_gcc_analyzer() {
    have gcc || return
    if ! works gcc -fanalyzer; then
        skip "gcc has no -fanalyzer"
        return
    fi
    vectors="-Wno-analyzer-shift-count-overflow -Wno-analyzer-use-of-uninitialized-value"
    for options in "-DBACKPROP_FLOAT $vectors" \
        "-DBACKPROP_NO_SIMD -DBACKPROP_DOUBLE -DBACKPROP_EXACT"; do
        check "gcc -fanalyzer, $options" gcc -std=c99 -O1 -fanalyzer -Werror -I. $options -c \
            -o "$out/object.o" tests/build/impl.c
    done
    for source in examples/*.c; do
        check "gcc -fanalyzer, $source" gcc $plain -O1 -fanalyzer -Werror \
            -Wno-analyzer-null-dereference -c -o "$out/object.o" "$source"
    done
}

# Kept quiet: a NaN is neither below nor above zero (incorrectLogicOperator, oppositeExpression);
# what is constant in one configuration is not in another (knownConditionTrueFalse, duplicate...);
# declarations stand at the head of a function (variableScope); -Wshadow watches names, here all
# files count as one (shadow...); callbacks have the type of their table (constParameter); members
# that give a union its alignment (unusedStructMember); a value given back to the next round of a
# loop (unreadVariable, redundantAssignment); what is filled through a pointer (uninitvar,
# ctuuninitvar), which valgrind and clang watch; an assignment beside a comparison in the head of
# a for (clarifyCondition); one number handed over as an array of one (objectIndex); functions that
# a macro renames stand in one place for it, and a 0 given to one is a null given to all
# (ctunullpointer).
quiet="incorrectLogicOperator oppositeExpression knownConditionTrueFalse duplicateExpression
    duplicateValueTernary variableScope shadowVariable shadowFunction constParameter
    unusedStructMember unreadVariable redundantAssignment uninitvar ctuuninitvar
    clarifyCondition objectIndex ctunullpointer"

test_cppcheck() {
    have cppcheck || return
    suppressions=
    for id in $quiet; do suppressions="$suppressions --suppress=$id"; done
    for precision in BACKPROP_FLOAT BACKPROP_DOUBLE; do
        check "cppcheck, $precision" cppcheck --quiet --std=c99 --error-exitcode=1 \
            --enable=warning,performance,portability,style $suppressions -I. -D$precision=1 \
            -DBACKPROP_NO_SIMD=1 examples/*.c tests/*.c tests/build/*.c
    done
}

test_shellcheck() {
    have shellcheck || return
    check "shellcheck" shellcheck -x tests/*.sh tests/bench/*.sh tests/fuzz/*.sh \
        examples/data/*.sh .ci/run
}

if [ -n "${THOROUGH:-}" ]; then
    test_clang_tidy
    test_gcc_analyzer
    test_cppcheck
else
    skip "the analyzers take minutes: THOROUGH=1"
fi
test_shellcheck
report test_static
