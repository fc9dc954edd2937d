#!/bin/sh
# test_faults.sh - training that is killed and goes on, and disks that are full, read-only or gone.
# What a limit on the size of files and a failure of any one call do is in test_files.c.
# CC, CFLAGS and the like are lists of words:
# shellcheck disable=SC2086
out=build/tests/faults
chmod -R u+w "$out" 2>/dev/null
rm -rf "$out"
mkdir -p "$out" || exit 1
. tests/check.sh
faults=$PWD/$out/faults

# says COMMAND...: shows its figures, too, if it went well.
says() {
    what=$1
    shift
    check "$what" "$@"
    grep ' epochs, ' "$out/log"
}

test_killed() {
    says "killed 200 times" "$faults" kill $out/killed.net 200
    says "the file removed under way" "$faults" remove $out/removed.net 40
}

# What a killed process, or somebody else, has left at PATH.tmp.
test_temporary() {
    check "a first save" "$faults" accepts $out/net
    cat "$faults" "$faults" >$out/net.tmp
    check "over a longer temporary" "$faults" accepts $out/net
    mkdir $out/net.tmp
    check "the temporary is a directory" "$faults" refuses $out/net
    check "it is still there" rmdir $out/net.tmp
    check "and then no more" "$faults" accepts $out/net
}

test_directories() {
    mkdir -p $out/gone $out/target/inner
    check "into a new directory" "$faults" accepts $out/gone/net
    rm -r $out/gone
    check "the directory is gone" "$faults" refuses $out/gone/net
    mkdir $out/gone
    check "it is back" "$faults" accepts $out/gone/net
    check "the target is a directory" "$faults" refuses $out/target
    check "with all that was in it" rmdir $out/target/inner
    check "and then a file" sh -c "rmdir $out/target && '$faults' accepts $out/target"
}

# A directory that may be read only, by a user to whom that applies.
test_permission() {
    mkdir -m 755 $out/locked
    check "before it is locked" "$faults" accepts $out/locked/net
    chmod 555 $out/locked
    if [ "$(id -u)" -ne 0 ]; then
        check "a directory that is read-only" "$faults" refuses $out/locked/net
    elif setpriv --reuid=65534 --clear-groups "$faults" refuses $out/locked/net >$out/log 2>&1 ||
        grep 'failed' $out/log >/dev/null; then
        check "a directory that is read-only" setpriv --reuid=65534 --clear-groups "$faults" \
            refuses $out/locked/net
    else
        skip "root may write everywhere, and cannot be somebody else here"
    fi
    chmod 755 $out/locked
    check "unlocked again" "$faults" accepts $out/locked/net
}

# in_namespace SCRIPT: run where file systems can be mounted and vanish with the script.
in_namespace() {
    if [ "$(id -u)" -eq 0 ]; then
        unshare -m sh -ec "$1"
    else
        unshare -rm sh -ec "$1"
    fi
}

# File systems of a few megabytes: filled up around the old file, without room for another name,
# and read-only. The network saved takes 320 KB, exported 1.3 MB.
test_disk() {
    mkdir $out/disk
    if ! in_namespace "mount -t tmpfs -o size=512k tmpfs $out/disk" >/dev/null 2>&1; then
        skip "no file system can be mounted here"
        return
    fi
    check "a disk that fills up" in_namespace "
        mount -t tmpfs -o size=2m,mode=755 tmpfs $out/disk
        '$faults' accepts $out/disk/net
        dd if=/dev/zero of=$out/disk/rest bs=1k 2>/dev/null || true
        '$faults' refuses $out/disk/net
        # room for a part of it
        dd if=/dev/zero of=$out/disk/rest bs=1k count=1600 2>/dev/null
        '$faults' refuses $out/disk/net
        rm $out/disk/rest
        '$faults' accepts $out/disk/net
        [ \"\$(ls $out/disk)\" = net ]"
    check "a disk without room for a name" in_namespace "
        mount -t tmpfs -o size=4m,nr_inodes=3,mode=755 tmpfs $out/disk
        '$faults' accepts $out/disk/net
        touch $out/disk/rest
        '$faults' refuses $out/disk/net
        rm $out/disk/rest
        '$faults' accepts $out/disk/net"
    check "a disk that is read-only" in_namespace "
        mount -t tmpfs -o size=4m,mode=755 tmpfs $out/disk
        '$faults' accepts $out/disk/net
        mount -o remount,ro $out/disk
        '$faults' refuses $out/disk/net
        mount -o remount,rw $out/disk
        '$faults' accepts $out/disk/net
        [ \"\$(ls $out/disk)\" = net ]"
}

echo '#include <sys/mman.h>' >$out/posix.c
if $CC -fsyntax-only $out/posix.c >/dev/null 2>&1; then
    check "the program" $CC -std=c99 -O2 -I. $CFLAGS -o "$faults" tests/build/faults.c
    test_killed
    test_temporary
    test_directories
    test_permission
    test_disk
else
    skip "kills and faults of disks need POSIX"
fi
report test_faults
