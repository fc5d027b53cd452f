for item in $(seq 20); do
    {
        echo "# page $item"
        index=0
        for word in alpha beta; do
            index=$((index + 1))
            echo "$word = $item-$index"
        done
    } > "@OUT@/page-$item"
done
