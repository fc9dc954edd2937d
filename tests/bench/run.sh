#!/bin/sh
# run.sh - builds tests/bench with the rivals that this machine has, and runs it.
#
#   CC      the compiler (cc); ours is built with nothing but -O2
#   CFLAGS  more options for ours
#   QUICK   not empty: under a minute, and rough
#   SIMD    the instruction set that ours computes with (avx2, sse2, ...); else the best.
#           OPENBLAS_CORETYPE=Haswell holds OpenBLAS to AVX2
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
echo "ours: $CC -O2${CFLAGS:+ $CFLAGS}; OpenBLAS's trainer: $CC $native${OPENBLAS_CORETYPE:+, for $OPENBLAS_CORETYPE}"
if [ -n "${QUICK:-}" ]; then mode=quick; else mode=full; fi
exec "$out/bench" "$mode" "$data" ${python:+"$python"}
