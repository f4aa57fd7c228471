"""Make the tables and the users, whose number and password are arguments. Prints nothing."""
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0, run_syncdb=True)
count, encoded = int(sys.argv[1]), make_password(sys.argv[2])
users = get_user_model()
if settings.MODEL == "custom":
    made = users.objects.bulk_create(
        (users(email="user%d@example.com" % i, password=encoded, tenant="tenant%d" % (i % 7)) for i in range(count)), batch_size=2000
    )
    group = Group.objects.create(name="editors")
    users.groups.through.objects.bulk_create((users.groups.through(account_id=u.pk, group_id=group.pk) for u in made[::3]), batch_size=2000)
else:
    users.objects.bulk_create(
        (users(username="user%d" % i, email="user%d@example.com" % i, password=encoded) for i in range(count)), batch_size=2000
    )
