from django.conf import settings
from django.urls import path

if settings.PROFILE == "api":
    from api import Maybe, WhoAmI

    urlpatterns = [path("api/whoami/", WhoAmI.as_view()), path("api/maybe/", Maybe.as_view())]
else:
    from rest_framework_simplejwt import views

    urlpatterns = [
        path("api/token/", views.TokenObtainPairView.as_view()),
        path("api/token/refresh/", views.TokenRefreshView.as_view()),
        path("api/token/verify/", views.TokenVerifyView.as_view()),
        path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    ]
    if settings.PROFILE == "hook":
        import latchkey_hook  # docs/examples/django-hook

        urlpatterns.append(path("latchkey/login/", latchkey_hook.login))
