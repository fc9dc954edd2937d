#!/bin/sh
# Fuzzes what takes bytes and arguments from anyone: tests/fuzz/run.sh [SECONDS per target (20)]
#
# Every target is built with libFuzzer and the sanitizers, in float and in double, and starts from
# a small corpus that is made here. What one run finds stays in build/fuzz for the next; an input
# that breaks a promise is kept there as crash-*, timeout-* or the like, and is given again to
# the program of the same name to see it. The last line is "N passed, N failed[, N skipped]".
#
#   CLANG    the compiler (clang)
#   TARGETS  some of the targets, such as "decode-address-float"
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-20}
case $seconds in
'' | *[!0-9]*)
    echo "usage: tests/fuzz/run.sh [SECONDS per target]" >&2
    exit 1
    ;;
esac
CLANG=${CLANG:-clang}
TARGETS=${TARGETS:-decode-address-float decode-address-double decode-memory-float
    idx-address-float interface-address-float interface-address-double interface-memory-float}
out=build/fuzz
mkdir -p $out/seeds/decode $out/seeds/idx $out/seeds/interface || exit 1
passed=0 failed=0 skipped=0 executions=0

fail() {
    failed=$((failed + 1))
    echo "FAILED: $1"
    tail -n 40 "$2" | sed 's/^/    /'
}

# build TARGET: all but interface also lets the fuzzer see the values that are compared, which the
# numerical loops of interface would only be slowed down by.
build() {
    source=tests/fuzz/${1%%-*}.c options="-std=c99 -g -O1"
    case $1 in
    *-memory-*) options="$options -fsanitize=fuzzer,memory" ;;
    *) options="$options -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all" ;;
    esac
    case $1 in interface-*) options="$options -fno-sanitize-coverage=trace-cmp" ;; esac
    case $1 in *-double) options="$options -DBACKPROP_DOUBLE" ;; esac
    # With fused multiply-add in plain C, too, its results can be compared with all others.
    # shellcheck disable=SC2086
    $CLANG $options $native -I. -o "$out/$1" "$source" >"$out/$1.log" 2>&1
}

# fuzz TARGET: in so many seconds. Machines that stop for a while are no hang.
fuzz() {
    kind=${1%%-*}
    mkdir -p "$out/corpus/$1"
    "$out/$1" -max_total_time="$seconds" -max_len=1024 -rss_limit_mb=1024 -timeout=60 \
        -entropic=0 -print_final_stats=1 -artifact_prefix="$out/" "$out/corpus/$1" \
        "$out/seeds/$kind" >"$out/$1.log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$out/$1.log")
    executions=$((executions + ${runs:-0}))
    if [ $status -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
        passed=$((passed + 1))
        echo "$1: $runs executions"
    else
        fail "$1 after ${runs:-0} executions" "$out/$1.log"
    fi
}

echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' \
    >$out/works.c
for target in $TARGETS; do
    case $target in *-memory-*) sanitizers=memory ;; *) sanitizers=address,undefined ;; esac
    if ! $CLANG -fsanitize=fuzzer,$sanitizers -o $out/works $out/works.c >/dev/null 2>&1; then
        skipped=$((skipped + 1))
        echo "fuzz: skipped: $target: no $CLANG with the runtime of -fsanitize=fuzzer,$sanitizers"
        continue
    fi
    native=
    $CLANG -march=native -c -o $out/works $out/works.c >/dev/null 2>&1 && native=-march=native
    case $target in *-double) seeds=-DBACKPROP_DOUBLE ;; *) seeds=-DBACKPROP_FLOAT ;; esac
    if $CLANG -std=c99 -O1 $seeds -I. -o $out/seed tests/fuzz/seeds.c >$out/seed.log 2>&1 &&
        $out/seed $out/seeds >$out/seed.log 2>&1; then
        if build "$target"; then
            fuzz "$target"
        else
            fail "$target does not build" "$out/$target.log"
        fi
    else
        fail "the seeds of $target" $out/seed.log
    fi
done

echo "$executions executions"
total="$passed passed, $failed failed"
[ $skipped -eq 0 ] || total="$total, $skipped skipped"
echo "$total"
[ $failed -eq 0 ]
