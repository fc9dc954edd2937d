# check.sh - what check.h is to programs: counts checks of a script and says what went wrong.
#
#     check "what is checked" COMMAND...    passes if the command does
#     refuse "what" PATTERN COMMAND...      passes if it fails and says a line with PATTERN
#     skip "why"                            a check that cannot be made here
#     report NAME                           at the end: the last line, and the exit status
#
# Sets CC, CXX (to match CC), CFLAGS and the list of strict warnings; scripts run in the
# repository's root and write to $out.
#
# shellcheck shell=sh disable=SC2034,SC2086,SC2154
CC=${CC:-cc}
CFLAGS=${CFLAGS:-}
case $CC in
*clang*) CXX=${CXX:-$(printf '%s' "$CC" | sed 's/clang/clang++/')} ;;
*gcc*) CXX=${CXX:-$(printf '%s' "$CC" | sed 's/gcc/g++/')} ;;
*) CXX=${CXX:-c++} ;;
esac
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-qual
    -Wdouble-promotion -Werror"
c_warnings="$warnings -Wstrict-prototypes -Wmissing-prototypes"
passed=0 failed=0 skipped=0

check() {
    what=$1
    shift
    if "$@" >"$out/log" 2>&1 </dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $what: $*"
        sed 's/^/    /' "$out/log"
    fi
}

refuse() {
    what=$1 pattern=$2
    shift 2
    if "$@" >"$out/log" 2>&1 </dev/null || ! grep "$pattern" "$out/log" >/dev/null; then
        failed=$((failed + 1))
        echo "failed: $what is not refused with \"$pattern\": $*"
        sed 's/^/    /' "$out/log"
    else
        passed=$((passed + 1))
    fi
}

skip() {
    skipped=$((skipped + 1))
    echo "$(basename "$0"): skipped: $1"
}

# works COMMAND [OPTION...]: the compiler is there, knows the options, and links a program.
works() {
    case $1 in
    *++*) echo 'int main() { return 0; }' >"$out/works.cpp" ;;
    *) echo 'int main(void) { return 0; }' >"$out/works.cpp" ;;
    esac
    compiler=$1
    shift
    case $compiler in
    *++*) $compiler -Werror "$@" -o "$out/works" "$out/works.cpp" >/dev/null 2>&1 ;;
    *) $compiler -Werror "$@" -o "$out/works" -x c "$out/works.cpp" >/dev/null 2>&1 ;;
    esac
}

report() {
    line="$1: $passed passed, $failed failed"
    [ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
    echo "$line"
    [ "$failed" -eq 0 ]
}
