# The first process of an instance. It boots the machine and then keeps it on: when it ends, the
# instance is down.
#
#   runner.sh launch first|again   starts "run" in the background and prints its process id
#   runner.sh run    first|again   waits for "go", boots, and stays
umask 022
dir=$POLYCLOUD_INSTANCE_DIR

if [ "$1" = launch ]; then
    # The detour through a process that ends makes the group an orphan from the start, so that the
    # end of the caller neither continues nor hangs up an instance that is suspended.
    exec 3<&0
    /bin/sh "$0" run "$2" <&3 3<&- >>"$dir/console.log" 2>&1 &
    echo "$!"
    exit 0
fi

# A caller that dies before it has written this process down closes the pipe: nothing may run then.
read -r go && [ "$go" = go ] || exit 0
exec </dev/null
echo "$POLYCLOUD_BOOT" >"$dir/begun"
echo "polycloud: boot $POLYCLOUD_BOOT of $POLYCLOUD_INSTANCE_NAME at $POLYCLOUD_INSTANCE_IP"
ulimit -d "$((POLYCLOUD_MEMORY_MIB * 1024))" 2>/dev/null

if [ -f etc/rc.local ] && [ -x etc/rc.local ]; then
    ./etc/rc.local &
fi
if [ "$2" = first ] && [ -f "$dir/user-data" ]; then
    # Written by a program of its own, so that no process has it open for writing when it is run.
    cat "$dir/user-data" >"$dir/user-data.run" && chmod 700 "$dir/user-data.run"
    "$dir/user-data.run"
    status=$?
    echo "$status" >"$dir/user-data.status"
    echo "polycloud: user data ended with status $status"
fi
exec sleep 2147483647
