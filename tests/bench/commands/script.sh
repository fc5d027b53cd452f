# repeat 100
/bin/true
# end
