"""An API as its developer writes it: nothing in it knows Latchkey."""
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView


class WhoAmI(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"id": request.user.id, "username": request.user.username})


class Maybe(APIView):
    permission_classes = [AllowAny]

    def get(self, request):
        return Response({"id": request.user.id})
