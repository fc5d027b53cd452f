#!/bin/sh
# User-data of a host that configures itself, made by `lks-ctl bootstrap`. Safe to run on every boot.
# It holds no secret but perhaps a join token, which lets one host in, once, until it expires.
set -eu
say() { echo "lks: $*"; [ -w /dev/console ] && echo "lks: $*" >/dev/console || true; }
fail() { say "FAILED: $*"; exit 1; }

agent=/usr/local/bin/lks-agent
sha256='@SHA256@'
etc=/etc/lks
state=/var/lib/lks-agent

good() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$sha256" ]; }

# What the exit status of curl or wget means.
reason() {
    case $1 in
        4 | 6 | 7 | 28) echo 'it cannot be reached' ;;
        5 | 35 | 60) echo 'its certificate is not one that this host believes' ;;
        8 | 22) echo 'it answers with an error: is the file there, and may this host read it?' ;;
        *) echo "status $1" ;;
    esac
}

# Fetches $1 into $2; any further words are curl's.
get() {
    url=$1 file=$2
    shift 2
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --proto '=https,http' --connect-timeout 10 --max-time 600 "$@" -o "$file" "$url"
    else
        [ "${1:-}" = -k ] && set -- --no-check-certificate
        wget -q -T 30 "$@" -O "$file" "$url"
    fi
}
@S3@
fetch() {
    case $1 in
        # Its certificate is its own; what is fetched is good only if its SHA-256 is.
        controller) get "@CONTROLLER@/v1/programs/$sha256" "$2" -k ;;
        s3://*) get_s3 "$1" "$2" ;;
        *) get "$1" "$2" ;;
    esac
}

umask 077
mkdir -p "$etc" "$state" "$(dirname "$agent")"

if good "$agent"; then
    say "the agent is here"
elif [ -x "$agent" ] && grep -qs '"release:lks-agent"' "$state/counters.json"; then
    say "the agent has replaced itself by a newer one"
else
    new="$agent.new.$$"
    trap 'rm -f "$new"' EXIT
    tries=0
    until good "$new"; do
        tries=$((tries + 1))
        [ "$tries" -le @TRIES@ ] || fail "no address gave an agent with the SHA-256 $sha256"
        [ "$tries" -eq 1 ] || sleep 5
        for url in @URLS@; do
            rm -f "$new"
            say "fetching $url"
            fetch "$url" "$new" || { say "nothing came: $(reason $?)"; continue; }
            good "$new" && break
            say "that is another file: not used"
        done
    done
    chmod 755 "$new"
    mv -f "$new" "$agent"
    trap - EXIT
    say "the agent is installed"
fi

cat >"$etc/bundle-keys" <<'LKS_KEYS'
@BUNDLE_KEYS@
LKS_KEYS

@JOIN@
cat >/etc/systemd/system/lks-agent.service.new <<'LKS_UNIT'
@UNIT@
LKS_UNIT
if ! cmp -s /etc/systemd/system/lks-agent.service.new /etc/systemd/system/lks-agent.service; then
    chmod 644 /etc/systemd/system/lks-agent.service.new
    mv -f /etc/systemd/system/lks-agent.service.new /etc/systemd/system/lks-agent.service
    systemctl daemon-reload
else
    rm -f /etc/systemd/system/lks-agent.service.new
fi
systemctl enable --quiet lks-agent.service
# Without waiting: cloud-init may itself be what the unit waits for.
systemctl restart --no-block lks-agent.service
say "lks-agent is started; its controller is @CONTROLLER@"
