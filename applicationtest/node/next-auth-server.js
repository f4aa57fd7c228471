// What Next.js does around pages/api/auth/[...nextauth].js: the path in the query, cookies, the body.
import cookies from "cookie";
import express from "express";
import nextAuth from "next-auth";
import { options } from "./program.js";

// The package is CommonJS.
const NextAuth = nextAuth.default ?? nextAuth;

const app = express();
app.use(express.urlencoded({ extended: false }), express.json());
app.all("/api/auth/{*action}", (request, response) => {
  const query = { ...request.query, nextauth: request.params.action };
  Object.defineProperty(request, "query", { value: query });
  request.cookies = cookies.parse(request.headers.cookie ?? "");
  return NextAuth(request, response, options);
});

app.listen(process.env.PORT, "127.0.0.1");
