package route

import "net/http"

// SetHostCookie sets a cookie whose name has the prefix __Host-, with the attributes that this requires (RFC 6265bis §4.1.3.2). It lasts for maxAge
// seconds; 0 is until the browser is closed, and a negative number removes it. SameSite is Lax and not Strict, since the cookies of pages must be
// sent when an application redirects the browser here from its own site.
func SetHostCookie(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, MaxAge: maxAge,
		Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
