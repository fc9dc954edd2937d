# golden.sh - builds golden.c in one way after the other and prints a table, one row a build, for
# test_golden.sh and matrix.sh.
#
#     build_row COMMAND...    both precisions, at the same time; the compiler must be there
#     try_row COMMAND...      the same if it is and knows the options, else a skipped check
#     golden_report NAME      at the end, in place of report
#
# What a build is asked stands in variables:
#
#     target         what it is built for, a word for the table
#     runner         the command that runs its programs
#     arguments      golden.c runs once with each: an instruction set, or how many threads
#     float_tests    tests/test_NAME.c to run beside it, in float,
#     double_tests   and in double
#     files          non-empty: files are to be those in $reference (see make_reference)
#
# shellcheck shell=sh disable=SC2034,SC2086,SC2154
target=here runner='' arguments=1 float_tests='' double_tests='' files=''
rows=$out/rows
: >"$rows"
printf '%-15s %-11s %-9s %-9s %s\n' hashes tests files target 'compiler and options'

# note CELL VERDICT: a check made, and the end of its log if it came out badly.
note() {
    echo "$1 $2" >>"$notes"
    case $2 in
    good | same | skipped) ;;
    *) tail -n 4 "$log" | sed "s/^/    $1: /" >>"$notes.logs" ;;
    esac
}

# build NAME COMMAND...: one program, in this half's precision.
build() {
    exe=$out/$1_$precision.exe log=$out/$1_$precision.log source=$2
    shift 2
    "$@" -DBACKPROP_$precision -I. -o "$exe" "$source" >"$log" 2>&1 </dev/null
}

run_hashes() {
    for argument in $arguments; do
        verdict=same
        $runner "$exe" "$argument" >"$log" 2>&1 </dev/null || verdict=DIFFER
        ! grep '^golden: 0 passed, 0 failed' "$log" >/dev/null || verdict=skipped
        grep '^golden: ' "$log" >/dev/null || verdict=CRASHED
        note hashes $verdict
    done
}

# compare_files REFERENCE ARGUMENT...: what golden.c saves and exports has the reference's bytes.
compare_files() {
    wanted=$1 made=$out/$precision.made verdict=same
    shift
    # The second file replaces the first, and so on.
    if ! $runner "$exe" "$@" "$made" >"$log" 2>&1 </dev/null; then
        verdict=FAILED
    elif ! cmp "$wanted" "$made" >"$log" || ! cmp "$wanted.c" "$made.c" >"$log"; then
        verdict=DIFFER
    fi
    note files $verdict
}

run_files() {
    rm -f "$out/$precision.made" "$out/$precision.made.c"
    compare_files "$reference/$precision" write
    for from in FLOAT DOUBLE; do
        compare_files "$reference/$precision.$from" read "$reference/$from"
    done
}

run_tests() {
    for name in $1; do
        shift
        if ! build "test_$name" "tests/test_$name.c" "$@"; then
            note tests UNBUILT
        elif $runner "$exe" >"$log" 2>&1 </dev/null &&
            grep "^$name: [1-9][0-9]* passed, 0 failed" "$log" >/dev/null; then
            note tests good
        else
            note tests FAILED
        fi
    done
}

# half PRECISION TESTS COMMAND...: all that a row says about one precision.
half() {
    precision=$1 tests=$2 notes=$out/$1.notes
    shift 2
    : >"$notes"
    : >"$notes.logs"
    if build golden tests/golden.c "$@"; then
        run_hashes
        [ -z "$files" ] || run_files
    else
        note hashes UNBUILT
    fi
    run_tests "$tests" "$@"
}

# cell NAME: the worst of its verdicts in both halves.
cell() {
    cat "$out/FLOAT.notes" "$out/DOUBLE.notes" | awk -v name="$1" '
        $1 == name && $2 == "skipped" && !worst { worst = $2 }
        $1 == name && $2 ~ /good|same/ && (!worst || worst == "skipped") { worst = $2 }
        $1 == name && $2 ~ /[A-Z]/ { worst = $2 }
        END { print worst ? worst : "-" }'
}

build_row() {
    half FLOAT "$float_tests" "$@" &
    half DOUBLE "$double_tests" "$@"
    wait
    cat "$out/FLOAT.notes" "$out/DOUBLE.notes" >>"$rows"
    ran=$(cell tests)
    [ "$ran" != good ] || ran="$float_tests${double_tests:+ $double_tests}"
    printf '%-15s %-11s %-9s %-9s %s\n' "$(cell hashes)" "$ran" "$(cell files)" "$target" \
        "$*: $arguments"
    cat "$out/FLOAT.notes.logs" "$out/DOUBLE.notes.logs"
}

try_row() {
    if works "$@"; then
        build_row "$@"
    else
        skip "no $*"
    fi
}

golden_report() {
    passed=$((passed + $(grep -c ' good$\| same$' "$rows")))
    skipped=$((skipped + $(grep -c ' skipped$' "$rows")))
    failed=$((failed + $(grep -c ' [A-Z]*$' "$rows")))
    report "$1"
}
