"""A Django project for the tests: the real simplejwt (profiles norotate, rotate, rotate_blacklist) or an API behind Latchkey.

An API takes REST_FRAMEWORK and SIMPLE_JWT from the module `pasted`, which the test fills with a settings file of
docs/django.md.
"""
import os
from urllib.parse import urlsplit

PROFILE = os.environ["DJANGOTEST_PROFILE"]

DEBUG = False
SECRET_KEY = os.environ["DJANGOTEST_SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "urls"
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING_CONFIG = None

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "rest_framework_simplejwt",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DJANGOTEST_DATABASE"],
        "OPTIONS": {"timeout": 30},
    }
}
if DATABASES["default"]["NAME"].startswith("postgres://"):
    _url = urlsplit(DATABASES["default"]["NAME"])
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _url.path[1:], "USER": _url.username, "PASSWORD": _url.password or "", "HOST": _url.hostname, "PORT": _url.port or "",
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

# A cheap first hasher: a run makes hundreds of logins.
PASSWORD_HASHERS = [
    "hashers.CheapPBKDF2",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.MD5PasswordHasher",
]

if PROFILE == "api":
    from pasted import *  # noqa: F401,F403
else:
    INSTALLED_APPS += ["rest_framework_simplejwt.token_blacklist"]
    REST_FRAMEWORK = {"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]}
    SIMPLE_JWT = {
        "ROTATE_REFRESH_TOKENS": PROFILE in ("rotate", "rotate_blacklist"),
        "BLACKLIST_AFTER_ROTATION": PROFILE == "rotate_blacklist",
    }
    if PROFILE == "hook":
        SIMPLE_JWT["TOKEN_OBTAIN_SERIALIZER"] = "serializers.Custom"
        LATCHKEY_HOOK_KEY = SECRET_KEY + " of the hook"
    try:
        import pasted  # a test's own settings

        SIMPLE_JWT.update(getattr(pasted, "SIMPLE_JWT", {}))
    except ImportError:
        pass
