# One host: `host.sh NUMBER FOLDER`, in network, mount and UTS namespaces of its own. /mnt is
# a folder of its own (as is its home, by sshd_config); the programs are this machine's.
set -eu
number=$1 dir=$2
hostname "h$number"
mount --bind "$dir/mnt" /mnt
ip link set lo up
while ! ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip address add "10.77.0.$((number + 10))/24" dev eth0
ip link set eth0 up
exec /usr/sbin/sshd -D -e -f "$dir/sshd_config"
