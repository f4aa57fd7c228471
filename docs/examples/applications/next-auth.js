// next-auth 4.24, the options of pages/api/auth/[...nextauth].js: npm install next next-auth
export const options = {
  secret: "COOKIE_SECRET",
  providers: [
    {
      id: "latchkey",
      name: "Latchkey",
      type: "oauth",
      wellKnown: "https://id.example.com/.well-known/openid-configuration",
      clientId: "CLIENT_ID",
      clientSecret: "CLIENT_SECRET",
      authorization: { params: { scope: "openid profile email" } },
      idToken: true,
      checks: ["pkce", "state"],
      profile: ({ sub, name, email, picture }) => ({ id: sub, name, email, image: picture }),
    },
  ],
  callbacks: {
    // As next-auth's guide to refresh token rotation has it. Several requests may refresh at once: they get the same successor.
    async jwt({ token, account }) {
      if (account) {
        const { access_token, refresh_token, expires_at } = account;
        return { ...token, access_token, refresh_token, expires_at };
      }
      if (Date.now() < token.expires_at * 1000) return token;
      const answer = await fetch("https://id.example.com/oauth2/token", {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token: token.refresh_token,
          client_id: "CLIENT_ID",
          client_secret: "CLIENT_SECRET",
        }),
      });
      const tokens = await answer.json();
      if (!answer.ok) return { ...token, error: tokens.error };
      const expires_at = Math.floor(Date.now() / 1000) + tokens.expires_in;
      return { ...token, access_token: tokens.access_token, refresh_token: tokens.refresh_token, expires_at };
    },
    session: ({ session, token }) => ({ ...session, error: token.error }),
  },
};
