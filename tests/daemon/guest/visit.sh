# In the guest: reads from each share and writes to it. Then off, or with WAIT=1 on until the host ends the machine.
for share in $(echo "$SHARES" | tr ',' ' '); do
    tag=${share%%:*}
    rm -rf "/mnt/$tag"/posix.*
    cp "/mnt/$tag/from_host" "/mnt/$tag/from_guest" || echo "## FAILED: $tag"
    [ "${share##*:}" = 0 ] || SHARE=/mnt/$tag XATTR=1 /guest/guest_posix_test --gtest_brief=1 --gtest_filter='*ExtendedAttributes*' ||
        echo "## FAILED: $tag: extended attributes"
    echo "## $tag: $(cat "/mnt/$tag/from_host")"
done
echo "## visited"
[ "${WAIT:-}" != 1 ] || sleep 1000
