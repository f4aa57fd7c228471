// better-auth 1.7: npm install express better-auth
import { betterAuth } from "better-auth";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { genericOAuth } from "better-auth/plugins";
import express from "express";

const auth = betterAuth({
  baseURL: "https://app.example.com",
  secret: "COOKIE_SECRET",
  plugins: [
    genericOAuth({
      config: [
        {
          providerId: "latchkey",
          discoveryUrl: "https://id.example.com/.well-known/openid-configuration",
          clientId: "CLIENT_ID",
          clientSecret: "CLIENT_SECRET",
          scopes: ["openid", "profile", "email"],
          postLogoutRedirectURI: "/goodbye",
        },
      ],
    }),
  ],
});

const app = express();
app.all("/api/auth/{*action}", toNodeHandler(auth));

app.get("/login", async (request, response) => {
  const { headers, response: answer } = await auth.api.signInSocial({
    body: { provider: "latchkey", callbackURL: "/" },
    returnHeaders: true,
  });
  response.setHeader("set-cookie", headers.getSetCookie()).redirect(answer.url);
});

app.get("/", async (request, response) => {
  const headers = fromNodeHeaders(request.headers);
  const session = await auth.api.getSession({ headers });
  if (!session) return response.status(401).end();
  // Refreshes the access token if it has expired. With a database the body is { accountId }.
  const token = await auth.api.getAccessToken({ headers, body: { useAccountCookie: true }, returnHeaders: true });
  const answer = await fetch("https://id.example.com/oauth2/userinfo", { headers: { authorization: `Bearer ${token.response.accessToken}` } });
  response.setHeader("set-cookie", token.headers.getSetCookie());
  response.status(answer.status).json({ ...(await answer.json()), ...session.user });
});

app.get("/logout", async (request, response) => {
  const { headers, response: answer } = await auth.api.signOut({ headers: fromNodeHeaders(request.headers), returnHeaders: true });
  response.setHeader("set-cookie", headers.getSetCookie()).redirect(answer.url ?? "/goodbye");
});

app.listen(process.env.PORT ?? 3000, "127.0.0.1");
