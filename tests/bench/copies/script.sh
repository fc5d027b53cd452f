# repeat 100
echo "file @N@" > "@OUT@/file-@N@"
# end
