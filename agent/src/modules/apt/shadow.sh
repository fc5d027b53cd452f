# Tells what an update of the package index would bring, without touching the host: everything that apt
# writes goes into a temporary folder, which is removed.
# Arguments: `update` or `keep`; then a command to simulate after the update, if any.
# Prints `lks: lists changed` when the index would change, and `lks: update failed` when nobody knows.
mode=$1
shift
dir=$(mktemp -d) || exit 90
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/parts" || exit 90
# With the index that is there, servers answer "not modified" where it still holds.
cp -a /var/lib/apt/lists/. "$dir/lists/" 2>/dev/null
rm -f "$dir/lists/lock"
cp -a /etc/apt/apt.conf.d/. "$dir/parts/" 2>/dev/null
# Hooks of an update act on the real host.
cat >"$dir/parts/zzzz-shadow" <<'CONF'
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke-Stats;
CONF
cat >"$dir/conf" <<CONF
Dir::Etc::parts "$dir/parts";
CONF
export APT_CONFIG="$dir/conf"
set -- "$@" -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" \
  -o APT::Sandbox::User=root -o Debug::NoLocking=1

index() {
  find "$dir/lists" -maxdepth 1 -type f ! -name lock -printf '%f %s %T@\n' 2>/dev/null | sort
}

if [ "$mode" = update ]; then
  before=$(index)
  apt-get -q -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root \
    -o Debug::NoLocking=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 update >"$dir/log" 2>&1
  status=$?
  if [ "$status" -ne 0 ] || grep -Eq '^(E:|W: Failed to fetch)' "$dir/log"; then
    echo 'lks: update failed'
    grep -E '^(E:|W:)' "$dir/log" >&2
    exit 0
  fi
  [ "$before" = "$(index)" ] || echo 'lks: lists changed'
fi
# Eight words were added above; without a command there are only those.
[ "$#" -gt 8 ] || exit 0
"$@"
