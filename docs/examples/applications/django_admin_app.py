"""Django's admin behind Latchkey, with social-auth-app-django 5.0 in one file. Debian: python3-social-django python3-jose.

The users are the site's own: the sub of a token is the primary key, as it is after `latchkey django import users` and with `users-from: django`.
Nobody is created here, and is_staff, is_active and the permissions stay Django's.
"""

import os
from urllib.parse import urlencode

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    SECRET_KEY="COOKIE_SECRET",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "app.db", "OPTIONS": {"timeout": 60}}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "social_django",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "social_django.middleware.SocialAuthExceptionMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    STATIC_URL="/static/",
    # No ModelBackend: there is one place with passwords.
    AUTHENTICATION_BACKENDS=["social_core.backends.open_id_connect.OpenIdConnectAuth"],
    SOCIAL_AUTH_OIDC_OIDC_ENDPOINT="https://id.example.com",
    SOCIAL_AUTH_OIDC_KEY="CLIENT_ID",
    SOCIAL_AUTH_OIDC_SECRET="CLIENT_SECRET",
    SOCIAL_AUTH_PIPELINE=[
        "social_core.pipeline.social_auth.social_details",
        "social_core.pipeline.social_auth.social_uid",
        "social_core.pipeline.social_auth.auth_allowed",
        __name__ + ".by_key",
        "social_core.pipeline.social_auth.associate_user",
        "social_core.pipeline.social_auth.load_extra_data",
    ],
    LOGIN_URL="/login/oidc/",
    LOGIN_REDIRECT_URL="/admin/",
    LOGIN_ERROR_URL="/refused",
    SESSION_COOKIE_AGE=8 * 3600,  # a session here ends by itself: ask Latchkey again at least once a day
)

import django

django.setup()

from django.contrib import admin
from django.contrib.auth import get_user_model, logout as forget
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import include, path
from social_core.exceptions import AuthForbidden


def by_key(backend, response, *args, **kwargs):
    """A pipeline step: the site's own user with this key; nobody else gets in."""
    user = get_user_model().objects.filter(pk=kwargs["uid"], is_active=True).first()
    if user is None:
        raise AuthForbidden(backend)
    # An association of an earlier login must not lead to another user.
    return {"user": user, "is_new": False}


def admin_login(request):
    """In place of the admin's own login page."""
    if request.user.is_authenticated and not request.user.is_staff:
        raise PermissionDenied
    return redirect("/login/oidc/?" + urlencode({"next": request.GET.get("next", "/admin/")}))


def logout(request):
    hint = request.user.social_auth.get().extra_data["id_token"] if request.user.is_authenticated else ""
    forget(request)
    back = {"id_token_hint": hint, "post_logout_redirect_uri": "https://app.example.com/goodbye"}
    return redirect("https://id.example.com/oauth2/logout?" + urlencode(back))


def whoami(request):
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    return JsonResponse({"pk": request.user.pk, "staff": request.user.is_staff, "django": request.user.get_username()})


def refused(request):
    return HttpResponse("This account may not sign in here.", status=403)


urlpatterns = [
    path("admin/login/", admin_login),
    path("admin/logout/", logout),
    path("admin/", admin.site.urls),
    path("whoami", whoami),
    path("refused", refused),
    path("", include("social_django.urls")),  # /login/oidc/ begins a login, /complete/oidc/ ends it
]

if __name__ == "__main__":
    execute_from_command_line(["manage", "migrate", "--verbosity", "0"])
    execute_from_command_line(["manage", "runserver", "--noreload", "127.0.0.1:" + os.environ.get("PORT", "8000")])
