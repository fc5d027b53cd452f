# The token is only written for a host that has not joined. A host made from an image of another one
# finds that out by itself, and needs it, too: the agent removes what it does not use.
if [ ! -e "$etc/joined-@TOKEN_ID@" ]; then
    printf '%s\n' '@TOKEN@' >"$etc/join-token"
    : >"$etc/joined-@TOKEN_ID@"
fi
