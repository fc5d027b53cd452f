for item in $(seq 100); do
    /bin/true
done
