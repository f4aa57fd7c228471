package route

import "net/http"

// Where routes lead that lie in different packages, below the issuer's path. Handler packages don't import each other, and a
// browser goes from one to the next all the same.
const (
	LoginPath     = "/login"
	ConsentPath   = "/consent"
	AccountPath   = "/account"
	AuthorizePath = "/oauth2/authorize"
	LogoutPath    = "/oauth2/logout"
)

// SeeOther redirects by 303, which makes the browser drop what it has posted, a password maybe: RFC 9700 §4.12.
func SeeOther(w http.ResponseWriter, location string) error {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
