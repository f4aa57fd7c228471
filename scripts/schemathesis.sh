#!/usr/bin/env bash
# Sends what schemathesis makes of the OpenAPI document of the API for operators to a server with a filled database: all its phases, the
# stateful one too. Needs ./latchkey and python3 with venv; what it installs is in build/schemathesis. Further arguments go to schemathesis.
set -euo pipefail

version=4.32.5
top=$(cd "$(dirname "$0")/.." && pwd)
latchkey=$top/latchkey
tools=$top/build/schemathesis
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$folder"' EXIT

if ! "$tools/bin/schemathesis" --version 2>/dev/null | grep -q "$version"; then
	python3 -m venv "$tools"
	"$tools/bin/pip" install -q "schemathesis==$version"
fi

cd "$folder"
export LATCHKEY_ARGON2=m=64,t=1,p=1 LATCHKEY_LOGIN_THROTTLE=off LATCHKEY_SIGN_UP=invite
scopes=$(for what in users clients sessions keys webhooks; do echo "latchkey:$what:read latchkey:$what:write"; done; echo latchkey:audit:read)
secret=$("$latchkey" client add --client-id automation --grant-type client_credentials --access-token-ttl 24h --scope "$(echo $scopes)" |
	sed -n 's/.*"client_secret": "\(.*\)".*/\1/p')
for i in 1 2 3; do
	"$latchkey" user add "user-$i" --no-password --group staff --email "user-$i@example.com" >/dev/null
	"$latchkey" client add --client-id "shop-$i" --redirect-uri "https://shop-$i.example/cb" >/dev/null
	"$latchkey" resource add "https://api-$i.example/v1" --scope read >/dev/null
	"$latchkey" registration-token add --name "team $i" >/dev/null
	"$latchkey" webhook add "https://shop-$i.invalid/events" >/dev/null
done

"$latchkey" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --issuer http://127.0.0.1:8000 --log-format json 2>log &
server=$!
for _ in $(seq 600); do
	admin=$(sed -n 's/.*"msg":"serving".*"admin_listen":"\([^"]*\)".*/\1/p' log)
	[ -z "$admin" ] || break
	sleep 0.1
done
public=$(sed -n 's/.*"msg":"serving".*"listen":"\([^"]*\)".*/\1/p' log)
token=$(python3 - "$public" "$secret" <<'PYTHON'
import json, sys, urllib.parse, urllib.request
form = {"grant_type": "client_credentials", "client_id": "automation", "client_secret": sys.argv[2], "resource": "http://127.0.0.1:8000/admin/v1"}
with urllib.request.urlopen(f"http://{sys.argv[1]}/oauth2/token", urllib.parse.urlencode(form).encode()) as answer:
    print(json.load(answer)["access_token"])
PYTHON
)
# sends REST… runs it. Not sent are the stream, which has no end, and the end of all sessions, which ends the token. That valid data are accepted
# can't be asked of a signed cursor, nor of metadata with rules of their own. That many random texts are no part of a path, or that a busy machine
# draws them slowly, is no fault of the server.
sends() {
	"$tools/bin/schemathesis" run "http://$admin/admin/v1/openapi.json" --url "http://$admin" \
		--header "Authorization: Bearer $token" --header 'If-Match: *' --exclude-checks positive_data_acceptance \
		--max-examples "${EXAMPLES:-20}" --seed "${SEED:-1}" --workers 2 --request-timeout 30 \
		--suppress-health-check filter_too_much,too_slow "$@"
}

# What can end the token goes last.
last=(remove-client disable-client update-client retire-key)
sends --exclude-path /admin/v1/events --exclude-path /admin/v1/sessions/end "${last[@]/#/--exclude-operation-id=}" "$@"
sends "${last[@]/#/--include-operation-id=}" "$@"
