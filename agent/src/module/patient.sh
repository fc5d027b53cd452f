# Runs an apt command with patience: waits for the lock, and tries again while the network is not up.
# Arguments: attempts, longest pause (s), seconds to wait for the lock; then the command.
# POLICY_RC_D, if set, is the status that policy-rc.d gives meanwhile.
# Prints `lks: lists changed` when the package index is not what it was.
attempts=$1 longest=$2 patience=$3
shift 3
lists=/var/lib/apt/lists
policy=/usr/sbin/policy-rc.d

log=$(mktemp) || exit 1
tidy() {
  rm -f "$log"
  if [ -n "${POLICY_RC_D-}" ]; then
    if [ -e "$policy.lks-saved" ]; then mv -f "$policy.lks-saved" "$policy"; else rm -f "$policy"; fi
  fi
}
trap tidy EXIT
trap 'exit 130' INT TERM HUP

if [ -n "${POLICY_RC_D-}" ]; then
  # What a killed run saved is the original; what lies in its place is that run's.
  [ -e "$policy.lks-saved" ] || [ ! -e "$policy" ] || mv "$policy" "$policy.lks-saved" || exit 1
  printf '#!/bin/sh\nexit %d\n' "$POLICY_RC_D" >"$policy" && chmod 0755 "$policy" || exit 1
fi

index() {
  find "$lists" -maxdepth 1 -type f ! -name lock -printf '%f %s %T@\n' 2>/dev/null | sort
}

before=$(index)
attempt=1 waited=0 pause=1
while :; do
  { "$@" 2>&1 || echo "lks: status $?"; } | tee "$log"
  status=$(sed -n 's/^lks: status //p' "$log")
  if grep -Eq '(Could not get lock|Unable to (acquire|lock)|(is|was) locked by another process)' "$log"; then
    # apt names the holder in the same line, which is shown already.
    [ "$waited" -lt "$patience" ] || exit 100
    sleep 2
    waited=$((waited + 2))
    continue
  fi
  # An update that could not fetch an index only warns, and ends with 0.
  if [ -z "$status" ] && ! grep -Eq '^(E:|W: Failed to fetch)' "$log"; then
    break
  fi
  grep -Eq '(Failed to fetch|Unable to fetch|Temporary failure|Could not (resolve|connect)|Connection (timed out|failed)|Hash Sum mismatch|The repository .* does not have a Release file)' "$log" || exit "${status:-100}"
  [ "$attempt" -lt "$attempts" ] || exit "${status:-100}"
  echo "lks: attempt $attempt of $attempts failed; the next one in $pause s"
  sleep "$pause"
  attempt=$((attempt + 1))
  pause=$((pause * 2))
  [ "$pause" -le "$longest" ] || pause=$longest
done
[ "$before" = "$(index)" ] || echo 'lks: lists changed'
