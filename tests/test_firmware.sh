#!/bin/sh
# test_firmware.sh - examples/firmware on emulated boards: with a floating-point unit and without,
# they read digits and learn XOR with the bits of the desktop. Then the sizes: code on the board
# and on the desktop at -Os, and the memory that is used, each within what README.md says.
# CC, CFLAGS and the like are lists of words:
# shellcheck disable=SC2046,SC2086
out=build/tests/firmware
mkdir -p "$out" || exit 1
. tests/check.sh
here=examples/firmware
made=build/firmware

# ---- on the desktop ----

test_desktop() {
    if works "$CC" $c_warnings; then
        for source in $here/export $here/xor tests/build/desktop; do
            check "no warnings in $source.c" $CC -std=c99 $c_warnings -I. -fsyntax-only \
                $source.c
        done
    else
        skip "$CC does not know the strict warnings"
    fi
    check "XOR for the desktop" $CC -std=c99 -O1 -I. $CFLAGS -o "$out/xor" $here/xor.c \
        tests/build/desktop.c
    check "XOR on the desktop" "$out/xor"
    grep -v '^Memory' "$out/log" >"$out/xor.txt"
    check "it prints a hash" grep '^Hash of the parameters: [0-9]' "$out/xor.txt"
}

# ---- on the boards ----

# on BOARD GOAL: a goal of the Makefile, the commands themselves not shown.
on() {
    make -s -f $here/Makefile BOARD="$1" CC="$CC" CFLAGS="$CFLAGS" "$2"
}

# cpu BOARD: its processor, as the Makefile has it.
cpu() {
    echo "-mthumb $(sed -n "s/^$1 = [^ ]* //p" $here/Makefile)"
}

test_board() {
    check "$1: builds" on "$1" build
    check "$1: reads and learns" on "$1" run
    cp "$out/log" "$out/$1.txt"
    check "$1: the outputs of bp_predict" grep 'bits of the desktop: 100 of 100$' "$out/$1.txt"
    grep '^[01] xor\|^Hash' "$out/$1.txt" >"$out/$1.xor.txt"
    check "$1: XOR as on the desktop" diff "$out/xor.txt" "$out/$1.xor.txt"
    for source in board digits xor; do
        check "$1: no warnings in $source.c" arm-none-eabi-gcc $(cpu "$1") -std=gnu99 -Os \
            $c_warnings -I. -I$made -c -o "$out/warnings.o" $here/$source.c
    done
}

# That the board compares at all: with one pixel changed its outputs are not the desktop's.
test_wrong_image() {
    images=$made/digit_images.h
    cp $images "$out/images.h"
    awk '!done && sub(/^        0,/, "        255,") { done = 1 } 1' "$out/images.h" >$images
    refuse "another image" 'desktop: 90 of 100$' on m4 run
    cp "$out/images.h" $images
    check "the first image again" on m4 run
}

# ---- sizes ----

# code FILE...: bytes that take room in flash, of all files together.
code() {
    $size "$@" | awk 'NR > 1 { sum += $1 + $2 } END { print sum }'
}

# within WHAT BYTES LIMIT: also prints the figure.
within() {
    echo "$1: $2 bytes, at most $3"
    check "$1: $2 bytes, at most $3" test "$2" -le "$3"
}

# Bytes of the network's parameters, which are no code.
parameters() {
    awk '/^static const digit_net_real/ { gsub(/[^0-9 ]/, " "); next }
        /^    -?[0-9]/ { count += gsub(/f/, "") } END { print 4 * count }' $made/digit_net.c
}

# memory BOARD NAME: the number behind a name in what the board has printed.
memory() {
    sed -n "s/.*$2 \([0-9]*\) bytes.*/\1/p" "$out/$1.txt"
}

sizes_of_board() {
    size=arm-none-eabi-size
    check "$1: predicting alone" arm-none-eabi-gcc $(cpu "$1") -std=gnu99 -Os -I. -c \
        -o "$out/$1.lean.o" tests/build/lean.c
    within "$1: code that predicts" $(($(code $made/$1/digit_net.o) - $(parameters))) 2048
    within "$1: code that predicts, of backprop.h" "$(code "$out/$1.lean.o")" 3072
    within "$1: code that trains" "$(code $made/$1/xor.o)" 12288
    within "$1: stack, predicting" "$(memory $1 'Stack used:')" 1024
    within "$1: stack, training" "$(memory $1 stack)" 2048
    within "$1: memory for a network 2-8-1" "$(memory $1 network)" 512
    within "$1: workspace to train it" "$(memory $1 workspace)" 1024
    within "$1: flash for XOR, all in all" "$(code $made/$1/xor.elf)" 24576
}

sizes_of_desktop() {
    size=size
    options="-std=c99 -Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables"
    check "exported" $CC $options -c -o "$out/digit_net.o" $made/digit_net.c
    check "predicting alone" $CC $options -I. -c -o "$out/lean.o" tests/build/lean.c
    check "training alone" $CC $options -I. -c -o "$out/xor.o" $here/xor.c
    within "desktop: code that predicts" $(($(code "$out/digit_net.o") - $(parameters))) 2048
    # clang takes more.
    case $CC in *clang*) predicting=6144 training=24576 ;; *) predicting=4096 training=18432 ;; esac
    within "desktop: code that predicts, of backprop.h" "$(code "$out/lean.o")" $predicting
    within "desktop: code that trains" "$(code "$out/xor.o")" $training
}

test_desktop
for tool in make arm-none-eabi-gcc qemu-system-arm; do
    command -v $tool >/dev/null 2>&1 || missing="${missing:-} $tool"
done
[ "$(arm-none-eabi-gcc -print-file-name=nano.specs 2>/dev/null)" != nano.specs ] ||
    missing="${missing:-} newlib"
if [ -n "${missing:-}" ]; then
    skip "no$missing"
else
    for board in m4 m3 m0 m7; do
        test_board $board
        sizes_of_board $board
    done
    test_wrong_image
    if command -v size >/dev/null 2>&1; then
        sizes_of_desktop
    else
        skip "no size"
    fi
fi
report test_firmware
