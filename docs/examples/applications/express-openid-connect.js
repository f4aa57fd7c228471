// express-openid-connect 3.4: npm install express express-openid-connect
import express from "express";
import openid from "express-openid-connect";

const app = express();
app.use(
  openid.auth({
    issuerBaseURL: "https://id.example.com",
    baseURL: "https://app.example.com",
    clientID: "CLIENT_ID",
    clientSecret: "CLIENT_SECRET",
    secret: "COOKIE_SECRET",
    // The library's default is the implicit flow, which Latchkey does not have.
    authorizationParams: { response_type: "code" },
    idpLogout: true,
    authRequired: false,
  }),
);

app.get("/", async (request, response) => {
  if (!request.oidc.isAuthenticated()) return response.status(401).end();
  if (request.oidc.accessToken.isExpired()) await request.oidc.accessToken.refresh();
  response.json(await request.oidc.fetchUserInfo());
});

app.listen(process.env.PORT ?? 3000, "127.0.0.1");
