# In the guest: writes to the first share and tells of each record that is on the host's disk, until that fails. The
# machine's own life is told of once in a while.
tag=${SHARES%%:*}
(while sleep 1; do echo "## alive"; done) &
/guest/guest_writer "/mnt/$tag" | sed 's/^/## /'
echo "## stat: $(stat -c %s "/mnt/$tag" 2>&1)"
wait
