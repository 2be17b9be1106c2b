#!/bin/sh
# Enter a root in namespaces of its own: unshare --mount --pid --fork enter.sh ROOT chroot|pivot PTS USER COMMAND
# PTS is what /dev/pts is mounted with. Nothing of it is left on the machine: the mounts end with their namespace.
set -eu
root=$1 kind=$2 pts=$3 user=$4 command=$5

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sys "$root/sys"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o "newinstance,ptmxmode=666,$pts" pts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
for node in null zero full random urandom tty; do
    : > "$root/dev/$node" # not mknod, which containers forbid
    mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

cd "$root"
if [ "$kind" = pivot ]; then
    pivot_root . .
    umount -l .
fi
exec chroot . /usr/bin/setpriv --reuid "$user" --regid "$user" --init-groups /bin/sh -c "$command" < /dev/null
