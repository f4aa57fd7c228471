package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/storage"
)

func setAddress(into *string, text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return &invalid{"is not HOST:PORT", "Write it like 127.0.0.1:8000, [::1]:8000, or :8000 for all interfaces."}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return &invalid{"has no valid port", "Write it like 127.0.0.1:8000; ports are 0 to 65535."}
	}
	if strings.ContainsAny(host, " \t/") {
		return &invalid{"is not HOST:PORT", "Write it like 127.0.0.1:8000, without a scheme or a path."}
	}
	*into = text
	return nil
}

// setIssuer follows RFC 8414 §2: a URL without query and fragment. Clients compare it byte for byte, so a trailing slash is
// refused, not dropped.
func setIssuer(into *string, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return &invalid{"is not an absolute URL", "Write it like https://id.example.com."}
	case u.Scheme != "https" && u.Scheme != "http":
		return &invalid{"is not an https URL", "Write it like https://id.example.com."}
	case strings.ContainsAny(text, "{} "):
		return &invalid{"contains braces or spaces", "Write it like https://id.example.com."}
	case u.User != nil:
		return &invalid{"contains credentials", "Remove everything up to the @."}
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return &invalid{"has a query or a fragment", "Remove everything from the ? or # on (RFC 8414, section 2)."}
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return &invalid{"is not https", "Use an https URL; http is only for loopback hosts such as localhost."}
	case strings.HasSuffix(u.Path, "/"):
		return &invalid{"ends with a slash", "Clients compare the issuer byte for byte: write " + strings.TrimRight(text, "/") + "."}
	}
	*into = text
	return nil
}

// Loopback reports whether host is localhost or a loopback address.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// setServer reads the URL of a server's API: tokens and passwords are sent to it.
func setServer(into *string, text string) error {
	return setIssuer(into, strings.TrimSuffix(text, "/"))
}

// setLink returns the set of an option whose value is a URL that people may be led to. example is one that fits it.
func setLink(example string) func(into *string, text string) error {
	return func(into *string, text string) error {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			return &invalid{"is not an https URL", "Write it like " + example + "."}
		}
		*into = text
		return nil
	}
}

// setRange takes an https URL, or http on this machine.
func setRange(into *string, text string) error {
	const example = "https://api.pwnedpasswords.com/range/"
	if err := setLink(example)(into, text); err != nil {
		return err
	}
	if strings.HasPrefix(text, "http:") && !clients.IsLoopbackURI(text) || strings.ContainsAny(text, "?#") {
		*into = ""
		return &invalid{"is not an https URL without a query", "Write it like " + example + "."}
	}
	return nil
}

// setDatabase never repeats the text, which may contain a password.
func setDatabase(into *Database, text string) error {
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "sqlite":
		path, err := sqlitePath(rest, "Write it like sqlite:latchkey.db or sqlite:/var/lib/latchkey/latchkey.db.")
		if err != nil {
			return err
		}
		*into = Database{Path: path}
	case "postgres", "postgresql":
		if u, err := url.Parse(text); err != nil || !strings.HasPrefix(rest, "//") || u.Scheme == "" || unencoded(u) {
			return &invalid{
				"is not a URL",
				"Write it like postgres://user:password@host:5432/name, with special characters in the password percent-encoded.",
			}
		}
		*into = Database{URL: storage.Secret(text)}
	default:
		return &invalid{"is neither sqlite: nor postgres://", "Write sqlite:PATH or postgres://user:password@host:5432/name."}
	}
	return nil
}

// sqlitePath returns the path of what follows sqlite: in a URL.
func sqlitePath(rest, remedy string) (string, error) {
	path := strings.TrimPrefix(rest, "//")
	switch {
	case path == "":
		return "", &invalid{"names no file", remedy}
	case strings.HasPrefix(path, ":memory:"):
		return "", &invalid{"is an in-memory database", "Name a file, as sqlite:PATH: commands and restarts must find the data again."}
	}
	return path, nil
}

// unencoded reports whether a part of the URL of a database looks like the end of a password with special characters: a / or ? in it ends
// the host, and a # the URL. What was taken for the name of the database would be logged.
func unencoded(u *url.URL) bool {
	name := strings.TrimLeft(u.EscapedPath(), "/")
	parameters, _, _ := strings.Cut(u.RawQuery, "=")
	return strings.ContainsAny(name, "@:/") || strings.Contains(u.Host, "@") || strings.Contains(parameters, "@") || u.Fragment != ""
}

// setDjangoDatabase never repeats the text, which may contain a password.
func setDjangoDatabase(into *DjangoDatabase, text string) error {
	if rest, ok := strings.CutPrefix(text, "sqlite:"); ok {
		path, err := sqlitePath(rest, "Write it like sqlite:/srv/site/db.sqlite3.")
		if err != nil {
			return err
		}
		*into = DjangoDatabase{URL: storage.Secret(text), Path: path}
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" && u.Query().Get("host") == "" || unencoded(u):
		return &invalid{"is not a URL", "Write it like postgres://user:password@host:5432/name, with special characters in the password percent-encoded."}
	case u.Scheme == "postgres" || u.Scheme == "postgresql":
		*into = DjangoDatabase{URL: storage.Secret(text)}
		return nil
	case u.Scheme == "mysql" || u.Scheme == "mariadb":
		*into = DjangoDatabase{URL: storage.Secret(text)}
		return nil
	}
	return &invalid{"is neither postgres:// nor mysql:// nor sqlite:", "Write postgres://user:password@host:5432/name, mysql://user:password@host:3306/name or sqlite:PATH."}
}

func setPrefixes(into *[]netip.Prefix, text string) error {
	*into = nil
	return members(text, func(one string) bool {
		prefix, err := netip.ParsePrefix(one)
		if addr, addrErr := netip.ParseAddr(one); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		*into = append(*into, prefix.Masked())
		return err == nil
	}, "is not a network", "Write networks like 10.0.0.0/8 or 2001:db8::/32, separated by commas.")
}

// setOrigins accepts origins as browsers send them: RFC 6454 §6.1.
func setOrigins(into *[]string, text string) error {
	*into = lines(text)
	return members(text, func(one string) bool {
		u, err := url.Parse(one)
		return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && one == u.Scheme+"://"+strings.ToLower(u.Host)
	}, "is not an origin",
		"Write origins as browsers send them, like https://app.example.com: scheme, host and port in lower case, no path, no trailing slash.")
}

// setClientDocuments accepts off, open, or hosts in the form that URLs have.
func setClientDocuments(into *document.Policy, text string) error {
	hosts := lines(text)
	if len(hosts) == 1 && (hosts[0] == "off" || hosts[0] == "open") {
		*into = document.Policy{Open: hosts[0] == "open"}
		return nil
	}
	*into = document.Policy{Hosts: hosts}
	return members(text, func(host string) bool {
		u, err := url.Parse("https://" + host)
		return err == nil && u.Host == host && u.Hostname() != "" && strings.ToLower(host) == host && strings.Contains(host, ".")
	}, "is not a host name", "Write off, open, or hosts like app.example.com in lower case, separated by commas.")
}

// setRedirectSchemes accepts none as well, which is not the default.
func setRedirectSchemes(into *[]string, text string) error {
	*into = append([]string{}, lines(text)...)
	return members(text, clients.ValidRedirectScheme, "is not a scheme that a client may have to itself",
		"Write schemes without the colon and in lower case, like cursor, separated by commas.")
}
