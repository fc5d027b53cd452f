# The network: a bridge, and a host (host.sh) at each of its ports: `network.sh COUNT FOLDER HOST.SH`.
set -eu
count=$1 dir=$2 host=$3
ip link add br0 type bridge
ip address add 10.77.0.1/24 dev br0
ip link set br0 up
number=1
while [ "$number" -le "$count" ]; do
    unshare --net --mount --uts sh "$host" "$number" "$dir/h$number" >"$dir/h$number/log" 2>&1 &
    # It keeps its number through unshare and sh.
    pid=$!
    # Until it is unshared, its network is still this one.
    while [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
    ip link add "port$number" type veth peer name eth0 netns "$pid"
    ip link set "port$number" master br0 up
    number=$((number + 1))
done
wait
