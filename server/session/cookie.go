package session

import (
	"net/http"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/mac"
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
	c := cookie(value.Reveal())
	if remember {
		c.MaxAge = int(ttl / time.Second)
	}
	http.SetCookie(w, c)
}

// clearCookie removes the cookie from the browser.
func clearCookie(w http.ResponseWriter) {
	c := cookie("")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// cookie returns a cookie with the attributes that the prefix __Host- requires. SameSite is Lax and not Strict, since the cookie
// must be sent when an application redirects the browser here from its own site.
func cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: value,
		Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
