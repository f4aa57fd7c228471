package simplejwt

import (
	"errors"
	"net/http"
	"slices"

	"latchkey/server/internal/pyjson"
	"latchkey/server/protocol"
	"latchkey/server/simplejwt/drf"
	"latchkey/server/token"
)

// cookiePrefix makes a browser refuse the cookie unless it comes over TLS, from this very host and for all of its paths, so
// that no other host of the domain can plant one (RFC 6265bis §4.1.3.2).
const cookiePrefix = "__Host-"

// RefreshCookie lets the refresh token travel in a cookie that scripts can't read.
type RefreshCookie struct {
	// Name is that of the cookie without its prefix; when it is empty there is no cookie.
	Name string
	// Own is the origin that browsers know this server by.
	Own string
	// Origins are those besides, whose pages may use the cookie too.
	Origins []string
}

// cookie is what the routes that read and write it share.
type cookie struct {
	name    string
	own     string
	origins []string
	foreign http.CrossOriginProtection
}

func newCookie(c RefreshCookie) *cookie {
	if c.Name == "" {
		return nil
	}
	return &cookie{name: cookiePrefix + c.Name, own: c.Own, origins: c.Origins}
}

// check refuses cross-origin requests. Requests with the token in the body and the login need the check too: their responses
// set the cookie, and so could put the attacker's session into the victim's browser (compare RFC 6749 §10.12). SameSite=Strict is not enough: other hosts of the site count as the same.
//
// A request with neither Sec-Fetch-Site nor Origin passes, as in [http.CrossOriginProtection]: no browser of the last years
// leaves out both, and a program has no cookies but its own.
func (c *cookie) check(r *http.Request) error {
	err := c.foreign.Check(r)
	origin := r.Header.Get("Origin")
	if err == nil || origin != "" && (origin == c.own || slices.Contains(c.origins, origin)) {
		return nil
	}
	if origin == "" {
		origin = "null"
	}
	return drf.Refused(http.StatusForbidden, "CSRF Failed: Origin checking failed - "+origin+" does not match any trusted origins.", err)
}

// open looks at the cookie of one request.
func (c *cookie) open(w http.ResponseWriter, r *http.Request) *jar {
	j := &jar{name: c.name, header: w.Header()}
	if held, err := r.Cookie(c.name); err == nil {
		j.held = held.Value
	}
	return j
}

// jar is the cookie in one request and its answer. A nil jar is that of a server without the cookie.
type jar struct {
	name   string
	held   string
	header http.Header
}

// token is what the cookie holds, if anything.
func (j *jar) token() string {
	if j == nil {
		return ""
	}
	return j.held
}

// put writes the refresh token to the cookie, or to the response body without the cookie. If none was issued, the client
// keeps the one it has.
func (j *jar) put(answer *pyjson.Dict, resp *token.Response) {
	switch {
	case resp.RefreshToken == "":
	case j == nil:
		answer.Set("refresh", resp.RefreshToken.Reveal())
	default:
		j.set(resp.RefreshToken.Reveal(), int(max(resp.RefreshExpiresIn, 1)))
	}
}

// refused clears the cookie when it holds the very token that was refused, and for good: an outage is no verdict, and while
// the session lives the browser may have got a newer token in another answer by now.
func (j *jar) refused(presented string, err error) error {
	var e *drf.Exception
	var verdict *protocol.Error
	if presented == j.token() && errors.As(err, &e) && e.Status == http.StatusUnauthorized &&
		!(errors.As(err, &verdict) && verdict.SessionLives) {
		j.clear()
	}
	return err
}

// clear takes the cookie away.
func (j *jar) clear() {
	if j != nil {
		j.set("", -1)
	}
}

// set writes the cookie, with everything that its prefix demands. maxAge is in seconds; a negative one removes it.
func (j *jar) set(value string, maxAge int) {
	c := http.Cookie{
		Name: j.name, Value: value, MaxAge: maxAge,
		Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	j.header.Set("Set-Cookie", c.String())
}
