"""simplejwt's routes, an API, and what people do at the site besides: sign up, change a password, be deactivated or deleted."""
from django.conf import settings
from django.contrib.auth import get_user_model
from django.urls import path
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import views
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer


class WithTenant(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user):
        token = super().get_token(user)
        token["tenant"] = user.tenant
        token["groups"] = sorted(g.name for g in user.groups.all())
        return token


class WhoAmI(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"id": str(request.user.pk), "tenant": request.auth.get("tenant"), "groups": request.auth.get("groups")})


class Site(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    def post(self, request, action):
        users = get_user_model()
        name, password = request.data["name"], request.data.get("password")
        if action == "signup":
            user = users.objects.create_user(name, password=password)
        else:
            user = users.objects.get_by_natural_key(name)
        if action == "password":
            user.set_password(password)
            user.save()
        elif action == "deactivate":
            user.is_active = False
            user.save()
        elif action == "delete":
            user.delete()
        return Response({"id": str(user.pk)})


login = views.TokenObtainPairView.as_view(**({"serializer_class": WithTenant} if settings.MODEL == "custom" else {}))
urlpatterns = [
    path("api/token/", login),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    path("api/whoami/", WhoAmI.as_view()),
    path("site/<action>/", Site.as_view()),
]
