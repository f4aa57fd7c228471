package simplejwt

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"latchkey/server/internal/pyjson"
	"latchkey/server/protocol"
	"latchkey/server/simplejwt/codec"
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
	// Legacy are the cookies in which Django keeps the refresh token. Until LegacyUntil they are read and kept in step, so that Django
	// finds the session again on a way back; zero means for ever. Then they are removed.
	Legacy      []LegacyCookie
	LegacyUntil time.Time
	Now         func() time.Time
}

// cookie is what the routes that read and write it share.
type cookie struct {
	RefreshCookie // with the prefix in its name
	foreign       http.CrossOriginProtection
}

func newCookie(c RefreshCookie) *cookie {
	if c.Name == "" {
		return nil
	}
	c.Name = cookiePrefix + c.Name
	return &cookie{RefreshCookie: c}
}

// inStep reports whether Django may still read the legacy cookies.
func (c *cookie) inStep() bool { return c.LegacyUntil.IsZero() || c.Now().Before(c.LegacyUntil) }

// check refuses cross-origin requests. Requests with the token in the body and the login need the check too: their responses
// set the cookie, and so could put the attacker's session into the victim's browser (compare RFC 6749 §10.12). SameSite=Strict is not enough: other hosts of the site count as the same.
//
// A request with neither Sec-Fetch-Site nor Origin passes, as in [http.CrossOriginProtection]: no browser of the last years
// leaves out both, and a program has no cookies but its own.
func (c *cookie) check(r *http.Request) error {
	err := c.foreign.Check(r)
	origin := r.Header.Get("Origin")
	if err == nil || origin != "" && (origin == c.Own || slices.Contains(c.Origins, origin)) {
		return nil
	}
	return drf.Refused(http.StatusForbidden, "CSRF Failed: Origin checking failed - "+cmp.Or(origin, "null")+" does not match any trusted origins.", err)
}

// open looks at the cookies of one request.
func (c *cookie) open(w http.ResponseWriter, r *http.Request) *jar {
	j := &jar{name: c.Name, header: w.Header(), legacy: c.Legacy}
	if held, err := r.Cookie(c.Name); err == nil && held.Value != "" {
		j.held = append(j.held, held.Value)
	}
	if len(c.Legacy) == 0 {
		return j
	}
	if j.inStep = c.inStep(); j.inStep {
		j.held = append(j.held, heldByLegacy(r, c.Legacy)...)
		newestFirst(j.held)
		return j
	}
	j.legacy = slices.DeleteFunc(slices.Clone(c.Legacy), func(l LegacyCookie) bool { return len(r.CookiesNamed(l.Name)) == 0 })
	return j
}

// jar is the cookies in one request and its answer. A nil jar is that of a server without the cookie.
type jar struct {
	name   string
	held   []string // the tokens in the cookies; the one to use is the first
	header http.Header
	legacy []LegacyCookie
	inStep bool // whether legacy cookies are written; otherwise they are removed
}

// token is what the cookies hold, if anything.
func (j *jar) token() string {
	if j == nil || len(j.held) == 0 {
		return ""
	}
	return j.held[0]
}

// use calls f with the token that was presented. One of the cookies that proves to be no token of the key at all is passed over for the next:
// any host of the domain can plant a legacy cookie.
func (j *jar) use(presented string, f func(token string) error) (used string, err error) {
	err = f(presented)
	if j == nil || presented != j.token() {
		return presented, err
	}
	for _, next := range j.held[min(1, len(j.held)):] {
		if !unauthentic(err) {
			break
		}
		presented, err = next, f(next)
	}
	return presented, err
}

// unauthentic reports whether a token was refused because it is not signed with the key.
func unauthentic(err error) bool {
	var invalid *codec.Invalid
	return errors.As(err, &invalid) && (invalid.Kind == codec.Malformed || invalid.Kind == codec.BadSignature)
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

// refused clears the cookies when one holds the very token that was refused, and for good: an outage is no verdict, and while
// the session lives the browser may have got a newer token in another answer by now.
func (j *jar) refused(presented string, err error) error {
	var e *drf.Exception
	var verdict *protocol.Error
	if j != nil && slices.Contains(j.held, presented) && errors.As(err, &e) && e.Status == http.StatusUnauthorized &&
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

// set writes the cookies, ours with everything that its prefix demands. maxAge is in seconds; a negative one removes them.
func (j *jar) set(value string, maxAge int) {
	c := http.Cookie{
		Name: j.name, Value: value, MaxAge: maxAge,
		Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	j.header.Set("Set-Cookie", c.String())
	for _, l := range j.legacy {
		c.Name, c.Path, c.Domain = l.Name, cmp.Or(l.Path, "/"), l.Domain
		if !j.inStep {
			c.Value, c.MaxAge = "", -1
		}
		j.header.Add("Set-Cookie", c.String())
	}
}
