"""Make the tables, add the users given as JSON on standard input, print each user's password hash as Django stores it."""
import json
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()

from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)
hashes = {}
for u in json.load(sys.stdin):
    if u["hasher"] == "django":  # Django's own cost
        encoded = PBKDF2PasswordHasher().encode(u["password"], "abcdefghijklmnopqrstuv")
    elif u["hasher"] == "unusable":
        encoded = make_password(None)
    else:
        encoded = make_password(u["password"], hasher=u["hasher"])
    User.objects.create(id=u["id"], username=u["username"], password=encoded, is_active=u["active"])
    hashes[u["id"]] = encoded
json.dump(hashes, sys.stdout)
