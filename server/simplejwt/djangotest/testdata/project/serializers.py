"""A serializer as sites write it: claims of their own in the tokens, fields of their own in the answer."""
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer


class Custom(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user):
        token = super().get_token(user)
        token["tenant"] = f"tenant of {user.username}"
        token["groups"] = [group.name for group in user.groups.order_by("name")]
        return token

    def validate(self, attrs):
        data = super().validate(attrs)
        data["user"] = {"id": self.user.pk, "name": self.user.get_full_name()}
        return data
