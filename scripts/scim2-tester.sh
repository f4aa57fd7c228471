#!/usr/bin/env bash
# Runs scim2-tester, a compliance client of SCIM 2.0, against a server with a filled database. Needs ./latchkey and python3 with venv; what it
# installs is in build/scim2-tester.
set -euo pipefail

version=0.5.2
top=$(cd "$(dirname "$0")/.." && pwd)
latchkey=$top/latchkey
tools=$top/build/scim2-tester
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$folder"' EXIT

if ! "$tools/bin/python" -c "import importlib.metadata as m; assert m.version('scim2-tester') == '$version'" 2>/dev/null; then
	python3 -m venv "$tools"
	"$tools/bin/pip" install -q "scim2-tester==$version" "scim2-client[httpx2]==0.13.2" "scim2-models==0.12.3"
fi

cd "$folder"
export LATCHKEY_ARGON2=m=64,t=1,p=1
secret=$("$latchkey" client add --client-id directory --grant-type client_credentials --scope latchkey:scim |
	sed -n 's/.*"client_secret": "\(.*\)".*/\1/p')
for i in 1 2 3; do
	"$latchkey" user add "user-$i" --no-password --group staff --email "user-$i@example.com" >/dev/null
done

"$latchkey" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --issuer http://127.0.0.1:8000 --log-format json 2>log &
server=$!
for _ in $(seq 600); do
	admin=$(sed -n 's/.*"msg":"serving".*"admin_listen":"\([^"]*\)".*/\1/p' log)
	[ -z "$admin" ] || break
	sleep 0.1
done
public=$(sed -n 's/.*"msg":"serving".*"listen":"\([^"]*\)".*/\1/p' log)
"$tools/bin/python" "$top/scripts/scim_compliance.py" "http://$public" "http://$admin/scim/v2" "$secret"
