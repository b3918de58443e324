# In the guest: what programs do with a share, for each of them; then writes until the host resets the machine. After
# the reset: what was left is there, and the shares work as before.

failed() {
    echo "## FAILED: $tag: $*"
    exit 1
}
# expect WHAT ACTUAL EXPECTED
expect() {
    [ "$2" = "$3" ] || failed "$1: got '$2', expected '$3'"
    checks=$((checks + 1))
}
# refused WHAT COMMAND...: it must fail.
refused() {
    local what=$1
    shift
    if "$@" 2>/dev/null; then failed "$what: it worked"; fi
    checks=$((checks + 1))
}

# What a shell's user does; leaves $share/kept for the host to look at.
work_with_files() {
    mkdir kept work && cd work
    echo one >a && echo two >>a
    expect "what was written is read" "$(cat a | tr '\n' ' ')" "one two "
    mv a b && cp b c && cmp b c
    expect "a copy is the same" $? 0
    refused "the old name is gone" cat a
    echo new >d && mv -f d b
    expect "renaming replaces" "$(cat b)" new
    mkdir -p deep/er/est && mv deep/er deep/moved && echo x >deep/moved/est/file
    expect "directories move" "$(find deep | sort | tr '\n' ' ')" "deep deep/moved deep/moved/est deep/moved/est/file "
    refused "a directory that is not empty stays" rmdir deep
    ln b hard && ln -s b soft && ln -s nowhere dangling
    expect "a hard link counts" "$(stat -c %h b)" 2
    expect "a link's target" "$(readlink soft)" b
    expect "through a link" "$(cat soft)" new
    refused "a link to nothing" cat dangling
    chmod 4751 c && chown 1000:1001 c
    chmod 4751 c
    expect "mode and owner" "$(stat -c '%a %u %g' c)" "4751 1000 1001"
    touch -d '2001-02-03 04:05:06' c
    expect "times" "$(stat -c %Y c)" "$(date -d '2001-02-03 04:05:06' +%s)"
    truncate -s 100000 b
    expect "truncating" "$(stat -c %s b) $(wc -c <hard)" "100000 100000"
    mkdir many && (cd many && seq 1 200 | xargs touch)
    expect "many files" "$(ls many | wc -l)" 200
    rm -r many
    refused "they are gone" ls many

    dd if=/dev/urandom of=/tmp/big.$tag bs=1M count=4 2>/dev/null
    cp /tmp/big.$tag big && sync
    echo 3 >/proc/sys/vm/drop_caches
    expect "a big file" "$(md5sum <big)" "$(md5sum </tmp/big.$tag)"
    dd if=big of=direct bs=1M iflag=direct oflag=direct 2>/dev/null
    expect "around the cache" "$(md5sum <direct)" "$(md5sum </tmp/big.$tag)"
    dd if=/tmp/big.$tag of=pieces bs=4093 count=100 2>/dev/null
    expect "in odd pieces" "$(md5sum <pieces)" "$(head -c 409300 /tmp/big.$tag | md5sum)"
    tar -C /guest -cf guest.tar . && mkdir unpacked && tar -C unpacked -xf guest.tar
    expect "unpacking" "$(cd unpacked && find . -type f | sort | xargs md5sum)" "$(cd /guest && find . -type f | sort | xargs md5sum)"

    cp /tmp/big.$tag ../kept/big && md5sum </tmp/big.$tag >../kept/big.md5
    mv c soft dangling hard b ../kept
    mkdir -m 1770 ../kept/dir && chown 5:6 ../kept/dir
    cd .. && rm -r work
    expect "all is gone" "$(ls)" kept
}

# each_share FUNCTION: for all shares at once, in the share's directory.
each_share() {
    for share in $(echo "$SHARES" | tr ',' ' '); do
        tag=${share%%:*}
        cache=${share#*:} && cache=${cache%:*}
        xattr=${share##*:}
        checks=0
        (cd "/mnt/$tag" && "$@") &
    done
    wait
}

first_boot() {
    work_with_files
    mkdir posix
    SHARE=/mnt/$tag/posix CACHE=$cache XATTR=$xattr /guest/guest_posix_test --gtest_brief=1 >/tmp/posix.$tag 2>&1 || {
        cat /tmp/posix.$tag
        failed "POSIX tests"
    }
    echo "## $tag: $checks checks, $(sed -n 's/.*PASSED *\] *\([0-9]*\).*/\1/p' /tmp/posix.$tag) POSIX tests, at $(cut -d' ' -f1 /proc/uptime) s"
}

write_on() { mkdir written && /guest/guest_writer written >/dev/null; }

second_boot() {
    expect "the big file of before the reset" "$(md5sum <kept/big)" "$(cat kept/big.md5)"
    [ -s written/records.3 ] || failed "nothing was written before the reset"
    echo "after the reset" >kept/second
    mkdir again && /guest/guest_writer again 20 >/tmp/again.$tag || failed "writing after the reset: $(cat /tmp/again.$tag)"
    echo "## $tag: works after the reset"
}

if [ -e "/mnt/${SHARES%%:*}/kept" ]; then
    each_share second_boot
else
    each_share first_boot
    each_share write_on &
    for share in $(echo "$SHARES" | tr ',' ' '); do
        until [ -s "/mnt/${share%%:*}/written/records.3" ]; do usleep 20000; done
    done
    echo "## ready for the reset"
    wait
fi
