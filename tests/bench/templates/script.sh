for item in $(seq 20); do
    {
        echo "# page $item"
        index=0
        printf 'words: '
        for word in alpha beta; do
            index=$((index + 1))
            printf '%s-%s ' $word $index
        done
        echo end
    } > "@OUT@/page-$item"
done
