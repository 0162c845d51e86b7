#!/usr/bin/env bash
# The main job, shown and checked: ./dev demo. Usage: demo.sh FOLDER_OF_THE_BINARIES
#
# Every claim that is printed was checked just before; whatever differs ends the demo with a message and exit code 1.
set -euo pipefail

bin=$(readlink -f "$1")
testdata=$(dirname "$(readlink -f "$0")")/../testdata
folder=$(mktemp -d /tmp/refund-relay-demo-XXXXXX)
deadline_s=60 # for anything that is waited for; sanitizer builds are slow
reconnect_s=5  # for a subscriber to be back once its server is
declare -A pids=()

end_process() { # name [signal]; waits for it
  local pid=${pids[$1]:-}
  unset "pids[$1]"
  [ -z "$pid" ] || { kill -"${2:-TERM}" "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
}

clean_up() {
  local name
  for name in "${!pids[@]}"; do end_process "$name" KILL; done
  rm -rf "$folder"
}
trap clean_up EXIT

step() { printf '\n== %s\n' "$*"; }
seen() { printf '   %s\n' "$*"; }
fail() {
  printf '\nDEMO FAILED: %s\n' "$*" >&2
  tail -n 15 "$folder"/*.err "$folder/server.log" >&2 2>/dev/null || true
  exit 1
}
expect() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }

# Waits until a command succeeds; it is looked at often, and only until the deadline.
wait_until() { # what command...
  local what=$1 limit_s=${limit_s:-$deadline_s}
  local end=$((SECONDS + limit_s))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || fail "waited $limit_s s in vain for: $what"
    sleep 0.05
  done
}

has_matches() { [ "$(grep -c "$2" "$1")" -ge "$3" ]; }
has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
is_ready() { grep -q '"message":"ready"' "$folder/server.log"; }
json_text() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }   # of JSON on stdin: a member that is a string
json_number() { sed -n "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p"; } # ... or a number

start_server() { # addresses of HTTP, gRPC and admin
  : >"$folder/server.log"
  "$bin/refund-relay" --http_address="$1" --grpc_address="$2" --admin_address="$3" --data_dir="$folder/data" \
    --webhook_secret_files="$folder/webhook.secret" --drain_delay=0s 2>"$folder/server.log" &
  pids[server]=$!
  wait_until "the server's line 'ready'" is_ready
  http=$(grep '"message":"ready"' "$folder/server.log" | json_text http_address)
  grpc=$(grep '"message":"ready"' "$folder/server.log" | json_text grpc_address)
  admin=$(grep '"message":"ready"' "$folder/server.log" | json_text admin_address)
}

tail_events() { # name flags...
  local name=$1
  shift
  "$bin/refundctl" tail --address="$grpc" --name="$name" --heartbeat-interval=1s "$@" \
    >>"$folder/$name.out" 2>>"$folder/$name.err" &
  pids[$name]=$!
}

send() { # flags...; sets `answer` and `http_status`
  answer=$("$bin/refundctl" send --url="http://$http/webhooks/refund" --secret-file="$folder/webhook.secret" "$@" \
    2>"$folder/send.err") || true
  [ -n "$answer" ] || fail "no answer to a webhook: $(cat "$folder/send.err")"
  http_status=${answer%% *}
}

check_arrival() { # subscriber, number of its line, event id
  wait_until "event $3 at the subscriber $1" has_lines "$folder/$1.out" "$2"
  local line
  line=$(sed -n "$2p" "$folder/$1.out")
  expect "the event id at subscriber $1" "$3" "${line##* }"
  seen "$1 <- $line"
}

printf 'a-secret-for-the-demo-%s\n' "$RANDOM$RANDOM" >"$folder/webhook.secret"

step "Start refund-relay in $folder, and two subscribers: one for everything, one for passes only."
start_server 127.0.0.1:0 127.0.0.1:0 127.0.0.1:0
seen "webhooks on http://$http/webhooks/refund, gRPC on $grpc, admin on http://$admin"
touch "$folder/everything.out" "$folder/passes.out"
tail_events everything --from=earliest
tail_events passes --from=earliest --type=pass
wait_until "both subscribers' start" grep -q started "$folder/everything.err"
wait_until "both subscribers' start" grep -q started "$folder/passes.err"

step "Send the vendor's three sample webhooks, signed as the vendor signs them."
sequence=0
for expected in pay_per_use:65e0220ed03692125f1f3592-9a388ce337ca367a \
  subscription:65e01fe8d03692125f1f356a-17a8f58cd815c44c pass:65e02242d03692125f1f3593-4ad38e3cfdb0ae41; do
  sequence=$((sequence + 1))
  sample=${expected%%:*} event_id=${expected#*:}
  send "$testdata/refunded.$sample.json"
  expect "the answer to $sample" 200 "$http_status"
  expect "the status of $sample" accepted "$(json_text status <<<"$answer")"
  expect "the event id of $sample" "$event_id" "$(json_text event_id <<<"$answer")"
  expect "the sequence of $sample" "$sequence" "$(json_number sequence <<<"$answer")"
  seen "$sample: 200, stored and synced as sequence $sequence"
  check_arrival everything "$sequence" "$event_id"
done
check_arrival passes 1 "$event_id"

step "One event with every field, found by its id."
"$bin/refundctl" get --address="$grpc" "$event_id" >"$folder/get.out" || fail "refundctl get"
grep -q 'event.refund.payment_gateway_refund_id  *rfnd_NgauHW7CMRO717' "$folder/get.out" || fail "a field is missing"
sed 's/^/   /' "$folder/get.out"

step "Send the pass again, as a vendor that retries would."
send "$testdata/refunded.pass.json"
expect "the answer to a duplicate" "200 duplicate 3" \
  "$http_status $(json_text status <<<"$answer") $(json_number sequence <<<"$answer")"
seen "200, duplicate of sequence 3: nothing is stored or streamed again"

step "Send one with a broken signature."
send --break-signature --sample=pass --unique
expect "the answer to a broken signature" 401 "$http_status"
seen "401: nothing is stored"

step "Send an event type that nobody has heard of: refunded.bundle."
sed 's/refunded\.pass/refunded.bundle/; s/65e02242d03692125f1f3593/65e02242d03692125f1fb001/' \
  "$testdata/refunded.pass.json" >"$folder/bundle.json"
send "$folder/bundle.json"
expect "the answer to refunded.bundle" "200 accepted 4" \
  "$http_status $(json_text status <<<"$answer") $(json_number sequence <<<"$answer")"
check_arrival everything 4 "$(json_text event_id <<<"$answer")"
grep -q 'refunded\.bundle' "$folder/everything.out" || fail "the unknown name does not show"
seen "it flows under its own name, before anybody's code knows it"

step "The subscriber 'everything' stops. A subscription arrives while it is away. Then kill -9 the server."
end_process everything INT
position=$(sed -n 's/.*resume with --after=//p' "$folder/everything.err" | tail -n 1)
[ -n "$position" ] || fail "the subscriber did not say where to resume"
seen "it will resume after position $position"
send --sample=subscription --unique
expect "the answer while it is away" "200 accepted 5" \
  "$http_status $(json_text status <<<"$answer") $(json_number sequence <<<"$answer")"
missed=$(json_text event_id <<<"$answer")
end_process server KILL
seen "the server is dead"

step "Start a subscriber, then the server on the same folder; the other subscriber reconnects by itself."
starts=$(grep -c 'started after' "$folder/everything.err")
tail_events everything --after="$position" --timeout="${deadline_s}s"
wait_until "the subscriber's word that there is no server" grep -q 'trying again' "$folder/everything.err"
start_server "$http" "$grpc" "$admin"
limit_s=$reconnect_s wait_until "the subscriber that was started before the server" \
  has_matches "$folder/everything.err" 'started after' $((starts + 1))
limit_s=$reconnect_s wait_until "the reconnect of the other subscriber" \
  grep -q 'resumed after' "$folder/passes.err"
seen "both are connected within $reconnect_s s"
check_arrival everything 5 "$missed"
send --sample=pass --unique
expect "the answer after the crash" "200 accepted 6" \
  "$http_status $(json_text status <<<"$answer") $(json_number sequence <<<"$answer")"
last=$(json_text event_id <<<"$answer")
check_arrival everything 6 "$last"
check_arrival passes 2 "$last"

step "Stop the server in order."
server_pid=${pids[server]}
unset "pids[server]"
kill -TERM "$server_pid"
server_exit=0
wait "$server_pid" || server_exit=$?
expect "the server's exit code" 0 "$server_exit"
end_process everything
end_process passes
expect "the sequences at 'everything'" "1 2 3 4 5 6" "$(awk '{print $1}' "$folder/everything.out" | xargs)"
expect "the sequences at 'passes'" "3 6" "$(awk '{print $1}' "$folder/passes.out" | xargs)"

cat <<TEXT

Seen: three signed samples, an unknown event type and two more webhooks went in; six events came out, in order, each
once, across a kill -9 and a restart. The duplicate and the broken signature left no trace. The subscriber for passes
got the two passes and nothing else. The subscriber that was away missed nothing.
TEXT
