// Package look describes how the pages look where operators have set that: for all pages, and for those on the way to one client. The
// package web renders them.
package look

// Service is the look of all pages. Where it is empty, brand.json holds, and then what is shipped.
type Service struct {
	// Name is that of the service.
	Name string
	// Logo is the path of an image file, which is shown in place of the name.
	Logo string
	// Accent and AccentDark are the colours of buttons and links in the two colour schemes, as #rrggbb.
	Accent, AccentDark string
	// TermsURL, PrivacyURL and SupportURL are links below each page. SupportURL may be a mailto URL.
	TermsURL, PrivacyURL, SupportURL string
}

// Client is the look of the pages on the way to a client, as the operator has set it: what a client says of itself must never get here, or
// one that registered itself could make the login page look like another's. Where it is empty, that of the service holds. The name and
// the host of the service are on the page in any case.
type Client struct {
	Name string
	// LogoURL is on this server.
	LogoURL string
	// Accent and AccentDark are as in Service.
	Accent, AccentDark   string
	TermsURL, PrivacyURL string
}
