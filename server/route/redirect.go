package route

import (
	"net/http"
	"path"
)

// The paths, below the issuer's path, that handlers of other packages redirect to. Handler packages don't import each other.
const (
	LoginPath    = "/login"
	SecurityPath = AccountPath + "/security"
	EmailPath    = AccountPath + "/email"
	ExportPath   = AccountPath + "/export"
	// FirstPasswordPath is where a user without a password chooses one.
	FirstPasswordPath = AccountPath + "/password/first"
	RemovePath        = AccountPath + "/remove"
	ConsentPath       = "/consent"
	DevicePath        = "/device"
	AccountPath       = "/account"
	ConsolePath       = "/console"
	AuthorizePath     = "/oauth2/authorize"
	LogoutPath        = "/oauth2/logout"
)

// SeeOther redirects with 303, so that the browser does not send a posted password to the new location (RFC 9700 §4.12).
func SeeOther(w http.ResponseWriter, location string) error {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// withoutSlash redirects to a path without the slash that the request has at its end. The location is relative, since a proxy may have
// cut off the issuer's path.
func withoutSlash(template string) Handler {
	location := "../" + path.Base(template)
	return func(w http.ResponseWriter, r *http.Request) error {
		to := location
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
}
