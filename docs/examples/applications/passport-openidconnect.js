// passport-openidconnect 0.1: npm install express express-session passport passport-openidconnect
import express from "express";
import session from "express-session";
import passport from "passport";
import OpenIDConnectStrategy from "passport-openidconnect";

passport.use(
  new OpenIDConnectStrategy(
    {
      issuer: "https://id.example.com",
      authorizationURL: "https://id.example.com/oauth2/authorize",
      tokenURL: "https://id.example.com/oauth2/token",
      userInfoURL: "https://id.example.com/oauth2/userinfo",
      clientID: "CLIENT_ID",
      clientSecret: "CLIENT_SECRET",
      callbackURL: "https://app.example.com/callback",
      scope: ["profile", "email"],
      // Without it the client needs --no-require-pkce: the strategy has no PKCE.
      nonce: true,
    },
    (issuer, profile, context, idToken, done) => done(null, { ...profile, idToken }),
  ),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: "COOKIE_SECRET", resave: false, saveUninitialized: false }));
app.use(passport.session());

app.get("/login", passport.authenticate("openidconnect"));
app.get("/callback", passport.authenticate("openidconnect", { successRedirect: "/", failureMessage: true }));
app.get("/", (request, response) => {
  if (!request.user) return response.status(401).end();
  response.json({ name: request.user.displayName, email: request.user.emails[0].value });
});
app.get("/logout", (request, response, next) => {
  const hint = request.user?.idToken ?? "";
  request.logout((error) => {
    if (error) return next(error);
    const back = new URLSearchParams({ id_token_hint: hint, post_logout_redirect_uri: "https://app.example.com/goodbye" });
    response.redirect(`https://id.example.com/oauth2/logout?${back}`);
  });
});

app.listen(process.env.PORT ?? 3000, "127.0.0.1");
