package route

import "net/http"

// The paths, below the issuer's path, that handlers of other packages redirect to. Handler packages don't import each other.
const (
	LoginPath     = "/login"
	ConsentPath   = "/consent"
	AccountPath   = "/account"
	AuthorizePath = "/oauth2/authorize"
	LogoutPath    = "/oauth2/logout"
)

// SeeOther redirects with 303, so that the browser does not send a posted password to the new location (RFC 9700 §4.12).
func SeeOther(w http.ResponseWriter, location string) error {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
