#!/bin/sh
# run.sh - builds tests/bench with the rivals that this machine has, and runs it.
#
#   CC      the compiler (cc); ours is built with nothing but -O2
#   CFLAGS  more options for ours
#   QUICK   not empty: about a minute, and rough
#   PARTS   the tables to print: training, predicting, small, growth, threads; else all
#   SIMD    the instruction set that ours computes with (avx2, sse2, ...); else the best.
#           avx2 holds OpenBLAS to it too
#   KERNELS the values of OPENBLAS_CORETYPE to choose from; else those of this kind of processor
#   DATA    the directory that holds MNIST; else build/mnist-data, else examples/data
#   PYTHON  an interpreter that has torch; else python3 from the path or the system's
cd "$(dirname "$0")/../.." || exit 1
CC=${CC:-cc}
CFLAGS=${CFLAGS:-}
out=build/bench
mkdir -p "$out" || exit 1

data=${DATA:-build/mnist-data}
[ -n "${DATA:-}" ] || [ -f "$data/train-images-idx3-ubyte" ] || data=examples/data

# CC and CFLAGS are lists of words.
# shellcheck disable=SC2086
compile() {
    object=$out/$1.o source=tests/bench/$2.c
    shift 2
    $CC "$@" -I. -c -o "$object" "$source" && objects="$objects $object"
}

# links HEADER LIBRARY CALL: are header and library both there?
links() {
    printf '#include <%s>\nint main(void) { %s; return 0; }\n' "$1" "$3" >"$out/probe.c"
    # shellcheck disable=SC2086
    $CC -o "$out/probe" "$out/probe.c" $2 >/dev/null 2>&1
}

# known OPTION: does the compiler take it, and link with it?
known() {
    links stddef.h "$1" ''
}

# time_kernels: prints "CORETYPE KERNELS-IN-USE TIME..." for each value of OPENBLAS_CORETYPE, twice.
# Kernels that this processor cannot run end their process, which then prints no line.
time_kernels() {
    for _ in 1 2; do
        for kernel in $kernels; do
            if [ "$kernel" = default ]; then
                unset OPENBLAS_CORETYPE
            else
                export OPENBLAS_CORETYPE="$kernel"
            fi
            line=$("$out/bench" kernels) && echo "$kernel $line"
        done
    done
}

# choose_kernels: prints the kernels with their times and sets OPENBLAS_CORETYPE, whatever it was,
# to the fastest by the mean of all batches. Several values may mean the same kernels. The better
# of two turns counts, because other work on the machine only makes one longer.
choose_kernels() {
    # Left in the environment, these would change its blocks or start its threads.
    unset OPENBLAS_L2_SIZE OPENBLAS_BLOCK_FACTOR
    export OPENBLAS_NUM_THREADS=1
    time_kernels 2>/dev/null | awk '
        !($2 in by) { by[$2] = $1; order[++count] = $2 }
        { for (i = 3; i <= NF; i++) if (!(($2, i) in time) || $i < time[$2, i]) time[$2, i] = $i }
        END {
            print "OpenBLAS kernels: us/example of 784-100-10, dense, in batches of 1, 10, 32, 128"
            for (k = 1; k <= count; k++) {
                name = order[k]; product = 1; line = sprintf("    %-14s", name)
                for (i = 3; i <= 6; i++) {
                    product *= time[name, i]; line = line sprintf(" %9.3f", time[name, i])
                }
                print line
                if (k == 1 || product < least) { least = product; best = by[name] }
            }
            print best
        }' >"$out/kernels"
    sed '$d' "$out/kernels"
    best=$(tail -n 1 "$out/kernels")
    unset OPENBLAS_CORETYPE
    case $best in
    '' | default) ;;
    *) export OPENBLAS_CORETYPE="$best" ;;
    esac
}

objects='' have='' libraries=''
native='-O3 -ffast-math'
if known -march=native; then native="$native -march=native"; fi

# shellcheck disable=SC2086
{
    compile ours ours -O2 $CFLAGS || exit 1
    if known -fopenmp; then
        compile ours_openmp ours -O2 -fopenmp -DOURS=ours_openmp $CFLAGS || exit 1
        have="$have -DHAVE_OPENMP" libraries="$libraries -fopenmp"
    fi
    if links cblas.h -lopenblas 'cblas_sscal(0, 0, 0, 1)'; then
        compile openblas openblas $native || exit 1
        have="$have -DHAVE_OPENBLAS" libraries="$libraries -lopenblas"
    fi
    if links floatfann.h -lfloatfann 'fann_destroy(0)'; then
        compile fann fann -O2 || exit 1
        have="$have -DHAVE_FANN" libraries="$libraries -lfloatfann"
    fi
    compile machine machine -O2 -ffp-contract=fast || exit 1
    compile pytorch pytorch -O2 || exit 1
    compile bench bench -O2 $have || exit 1
    if known -pthread; then libraries="$libraries -pthread"; fi
    $CC -o "$out/bench" $objects $libraries || exit 1
}

python=''
for candidate in ${PYTHON:-python3 /usr/bin/python3}; do
    if [ -z "$python" ] && "$candidate" -c 'import torch' >/dev/null 2>&1; then
        python=$candidate
    fi
done

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
echo "$(uname -sm) ${processor:+, $processor}; $($CC --version | head -n 1)" | sed 's/ ,/,/'
echo "ours: $CC -O2${CFLAGS:+ $CFLAGS}; OpenBLAS's trainer: $CC $native"
case $(uname -m):${SIMD:-} in
*:avx2) kernels=Haswell ;;
x86_64:* | amd64:*) kernels='default Haswell Zen SkylakeX Cooperlake SapphireRapids' ;;
*) kernels=default ;;
esac
kernels=${KERNELS:-$kernels}
case $have in
*OPENBLAS*) choose_kernels ;;
esac
if [ -n "${QUICK:-}" ]; then mode=quick; else mode=full; fi
exec "$out/bench" "$mode" "$data" ${python:+"$python"}
