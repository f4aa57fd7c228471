package session

import (
	"net/http"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/mac"
	"latchkey/storage"
)

// prefix marks the values of cookies, so that whoever finds one knows what it is.
const prefix = "lk_bs_"

// hash returns what the database keeps of a cookie's value.
func hash(key []byte, value storage.Secret) storage.Digest { return mac.Sum(key, value.Reveal()) }

// presented gives the value of the request's cookie, empty when it can't be one of ours.
func presented(r *http.Request) storage.Secret {
	c, err := r.Cookie(CookieName)
	if err != nil {
		return ""
	}
	if value := storage.Secret(c.Value); clients.IsSecret(prefix, value) {
		return value
	}
	return ""
}

// give puts the cookie into the browser: until the session's end, or, when the user does not want to be remembered, until
// the browser is closed.
func give(w http.ResponseWriter, value storage.Secret, remember bool, ttl time.Duration) {
	c := cookie(value.Reveal())
	if remember {
		c.MaxAge = int(ttl / time.Second)
	}
	http.SetCookie(w, c)
}

// take takes the cookie out of the browser.
func take(w http.ResponseWriter) {
	c := cookie("")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// cookie has everything that its prefix demands. SameSite is Lax and not Strict: an application leads the browser here from
// its own site, and the user is to be known then.
func cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: value,
		Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
