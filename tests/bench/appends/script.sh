# repeat 100
/bin/sh -c "echo x >> @OUT@/lines"
# end
