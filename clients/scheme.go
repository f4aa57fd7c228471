package clients

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// RedirectSchemes returns the private-use schemes without a dot that are accepted by default: those of common editors and agents.
func RedirectSchemes() []string {
	return []string{
		"antigravity", "cherrystudio", "claude", "code-oss", "codex", "continue", "cursor", "goose", "jetbrains", "kiro", "lmstudio", "msty", "opencode",
		"positron", "raycast", "trae", "vscode", "vscode-insiders", "vscodium", "warp", "windsurf", "windsurf-next", "zed",
	}
}

// ValidRedirectScheme reports whether an operator may accept a scheme in redirect URIs: one that no browser runs, reads or sends to
// elsewhere.
func ValidRedirectScheme(scheme string) bool {
	form := strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == "" // RFC 3986 §3.1
	return form && len(scheme) > 1 && len(scheme) <= 64 && 'a' <= scheme[0] && scheme[0] <= 'z' && !slices.Contains([]string{
		"about", "blob", "chrome", "chrome-extension", "content", "data", "file", "filesystem", "ftp", "ftps", "gopher", "http", "https", "intent",
		"jar", "javascript", "ldap", "ldaps", "mailto", "moz-extension", "resource", "sftp", "shell", "sms", "smb", "ssh", "tel", "telnet", "urn",
		"vbscript", "view-source", "ws", "wss",
	}, scheme)
}

// checkPrivateScheme checks a private-use scheme (RFC 8252 §7.1): a domain name in reverse, so with a dot, or one of the schemes that
// the server knows (§8.4 says SHOULD). That also refuses what a browser would execute or read: javascript, data, file, vbscript, blob,
// about.
func (r *Registration) checkPrivateScheme(u *url.URL) error {
	labels := strings.Split(u.Scheme, ".")
	known := r.knowsScheme(u.Scheme)
	switch {
	case !known && (len(labels) < 2 || slices.Contains(labels, "")):
		return fmt.Errorf("the scheme %q is not allowed: use https, for a native application a domain name in reverse, like com.example.app, "+
			"or a scheme that the operator allows with --redirect-schemes", u.Scheme)
	case !known && r.ApplicationType != applicationNative:
		return errors.New("a private-use scheme needs application_type native")
	case u.Opaque != "" || (u.Host == "" && u.Path == ""):
		return errors.New("a slash must follow the scheme")
	}
	return nil
}

// knowsScheme reports whether a scheme without a dot is accepted. Editors register themselves with it beside the application_type web.
func (r *Registration) knowsScheme(scheme string) bool {
	known := r.Schemes
	if known == nil {
		known = RedirectSchemes()
	}
	return slices.Contains(known, scheme)
}
