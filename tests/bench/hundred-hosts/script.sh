for host in $(seq 100); do
    for task in 1 2 3 4 5 6 7 8 9 10; do
        /bin/touch "@OUT@/host$host-$task"
    done
done
