package session

import (
	"net/http"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/mac"
	"latchkey/server/route"
	"latchkey/storage"
)

// prefix marks the values of cookies, so that a leaked one is recognisable, for example by a secret scanner.
const prefix = "lk_bs_"

// hash returns the MAC of a cookie's value, which is what the database stores.
func hash(key []byte, value storage.Secret) storage.Digest { return mac.Sum(key, value.Reveal()) }

// presented returns the value of the request's cookie, or an empty one if it does not have the form of a session cookie.
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

// setCookie sets the cookie. It lasts until the session's end if the user wants to be remembered, otherwise until the browser is
// closed.
func setCookie(w http.ResponseWriter, value storage.Secret, remember bool, ttl time.Duration) {
	maxAge := 0
	if remember {
		maxAge = int(ttl / time.Second)
	}
	route.SetHostCookie(w, CookieName, value.Reveal(), maxAge)
}

// clearCookie removes the cookie from the browser.
func clearCookie(w http.ResponseWriter) { route.SetHostCookie(w, CookieName, "", -1) }
