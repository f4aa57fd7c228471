package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/server"
	"latchkey/server/keys"
	"latchkey/server/simplejwt"
	"latchkey/server/users"
	"latchkey/storage"
)

// settings is the configuration once it has been read and checked.
type settings struct {
	// server is what goes to the server; its Store, Root, Logger and Now are filled in by who starts it.
	server   server.Config
	database database
	secret   storage.Secret
	retired  []storage.Secret
	// logFormat is empty when it is to follow the terminal.
	logFormat string
	logLevel  slog.Level
	// userIDType is empty when it is to follow the compat release.
	userIDType string

	// given are the names of the options that were given rather than left at their default.
	given map[string]source
}

// database says where everything is kept: one of the two.
type database struct {
	path string         // SQLite
	url  storage.Secret // Postgres
}

func (d database) postgres() bool { return d.url != "" }

// String names the database without its credentials.
func (d database) String() string {
	if d.postgres() {
		return "postgres"
	}
	return "sqlite:" + d.path
}

// unfit is what is wrong with a value and how to mend it, in words that follow the value ("… is not a port").
type unfit struct{ problem, mend string }

func (u *unfit) Error() string { return u.problem + ". " + u.mend }

func setAddress(into *string, text string) error {
	if text == "" {
		*into = ""
		return nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return &unfit{"is not HOST:PORT", "Write it like 127.0.0.1:8000, [::1]:8000, or :8000 for all interfaces."}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return &unfit{"has no port number", "Write it like 127.0.0.1:8000; ports go from 0 to 65535."}
	}
	if strings.ContainsAny(host, " \t/") {
		return &unfit{"is not HOST:PORT", "Write it like 127.0.0.1:8000, without a scheme or a path."}
	}
	*into = text
	return nil
}

// setIssuer holds to RFC 8414 §2: a URL without query and fragment. Relying parties compare it byte for byte, so
// that a slash at the end is refused rather than dropped.
func setIssuer(into *string, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return &unfit{"is not an absolute URL", "Write it like https://id.example.com."}
	case u.Scheme != "https" && u.Scheme != "http":
		return &unfit{"is not an https URL", "Write it like https://id.example.com."}
	case strings.ContainsAny(text, "{} "):
		return &unfit{"has braces or spaces in it", "Write it like https://id.example.com."}
	case u.User != nil:
		return &unfit{"has credentials in it", "Leave out everything before the @."}
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return &unfit{"has a query or a fragment", "Leave out everything from the ? or # on (RFC 8414, section 2)."}
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return &unfit{"is not https", "Use an https URL; http is for loopback hosts such as localhost only."}
	case strings.HasSuffix(u.Path, "/"):
		return &unfit{"ends in a slash", "Clients compare the issuer byte for byte: write " + strings.TrimRight(text, "/") + "."}
	}
	*into = text
	return nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// setDatabase never repeats the text: it may hold a password.
func setDatabase(into *database, text string) error {
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "sqlite":
		switch {
		case rest == "":
			return &unfit{"names no file", "Write it like sqlite:latchkey.db or sqlite:/var/lib/latchkey/latchkey.db."}
		case strings.HasPrefix(rest, ":memory:"):
			return &unfit{"names a database in memory", "Name a file: sqlite:PATH. Commands and restarts must find it again."}
		}
		*into = database{path: strings.TrimPrefix(rest, "//")}
	case "postgres", "postgresql":
		if u, err := url.Parse(text); err != nil || !strings.HasPrefix(rest, "//") || u.Scheme == "" {
			return &unfit{
				"is not a URL",
				"Write it like postgres://user:password@host:5432/name, special characters in the password %-encoded.",
			}
		}
		*into = database{url: storage.Secret(text)}
	default:
		return &unfit{"is neither sqlite: nor postgres://", "Write sqlite:PATH or postgres://user:password@host:5432/name."}
	}
	return nil
}

func setSecret(into *storage.Secret, text string) error {
	*into = storage.Secret(text)
	return nil
}

func setRootSecret(into *storage.Secret, text string) error {
	if len(text) < keys.MinSecret {
		return &unfit{
			fmt.Sprintf("has %d bytes; at least %d are needed", len(text), keys.MinSecret),
			"Make one with `openssl rand -base64 32`.",
		}
	}
	*into = storage.Secret(text)
	return nil
}

func setRetiredSecrets(into *[]storage.Secret, text string) error {
	*into = nil
	for i, one := range lines(text) {
		if len(one) < keys.MinSecret {
			return &unfit{
				fmt.Sprintf("holds as number %d a secret of %d bytes; at least %d are needed", i+1, len(one), keys.MinSecret),
				"Give the retired secrets whole, separated by commas (in a file: one a line).",
			}
		}
		*into = append(*into, storage.Secret(one))
	}
	return nil
}

func setChoice[T ~string](into *T, text string, choices ...T) error {
	if !slices.Contains(choices, T(text)) {
		words := make([]string, len(choices))
		for i, c := range choices {
			words[i] = string(c)
		}
		return &unfit{"is not one of the choices", "Use " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1] + "."}
	}
	*into = T(text)
	return nil
}

// setSwitch takes true and false too: YAML writers reach for them.
func setSwitch(into *bool, text string) error {
	switch text {
	case "on", "true":
		*into = true
	case "off", "false":
		*into = false
	default:
		return &unfit{"is neither on nor off", "Use on or off."}
	}
	return nil
}

func setLevel(into *slog.Level, text string) error {
	switch text {
	case "debug", "info", "warn", "error":
		return into.UnmarshalText([]byte(text))
	}
	return &unfit{"is not a log level", "Use debug, info, warn or error."}
}

func setResourcePolicy(anyResource *bool, text string) error {
	var policy string
	err := setChoice(&policy, text, "registered", "any")
	*anyResource = policy == "any"
	return err
}

const durationMend = "Write it like 90s, 15m, 12h or 30d."

// setLifetime takes durations that something can live for.
func setLifetime(into *time.Duration, text string) error {
	d, err := clients.ParseDuration(text)
	if err != nil {
		return &unfit{"is not a duration", durationMend}
	}
	if d.Std() < time.Second {
		return &unfit{"is shorter than a second", durationMend}
	}
	*into = d.Std()
	return nil
}

// setWait takes zero as well.
func setWait(into *time.Duration, text string) error {
	d, err := clients.ParseDuration(text)
	if err != nil {
		return &unfit{"is not a duration", durationMend}
	}
	if d < 0 {
		return &unfit{"is below zero", durationMend}
	}
	*into = d.Std()
	return nil
}

func setOptionalWait(into **time.Duration, text string) error {
	var d time.Duration
	if err := setWait(&d, text); err != nil {
		return err
	}
	*into = &d
	return nil
}

// setCount takes numbers that something can be bounded by.
func setCount(into *int, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 10_000_000 {
		return &unfit{"is not a number from 1 to 10000000", "Write it in digits, like 10000."}
	}
	*into = n
	return nil
}

// setMoment takes a date, which means its beginning, or a time.
func setMoment(into *time.Time, text string) error {
	*into = time.Time{}
	if text == "" {
		return nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			*into = t.UTC()
			return nil
		}
	}
	return &unfit{"is no date and no time", "Write it like 2027-01-31 or 2027-01-31T06:00:00Z."}
}

// setFolder wants one that is there: a page without its texts shows too late that it was misspelt.
func setFolder(into *string, text string) error {
	*into = ""
	if text == "" {
		return nil
	}
	info, err := os.Stat(text)
	switch {
	case err != nil:
		return &unfit{"can't be read: " + err.Error(), "Name a folder that exists and that this user may read."}
	case !info.IsDir():
		return &unfit{"is no folder", "Name the folder that holds the files."}
	}
	*into = text
	return nil
}

// setClientDocuments takes off or open, or hosts as they stand in a URL.
func setClientDocuments(into *document.Policy, text string) error {
	*into = document.Policy{}
	hosts := lines(text)
	if len(hosts) == 1 && (hosts[0] == "off" || hosts[0] == "open") {
		into.Open = hosts[0] == "open"
		return nil
	}
	var odd []string
	for _, host := range hosts {
		u, err := url.Parse("https://" + host)
		if err != nil || u.Host != host || u.Hostname() == "" || strings.ToLower(host) != host || !strings.Contains(host, ".") {
			odd = append(odd, host)
			continue
		}
		into.Hosts = append(into.Hosts, host)
	}
	return oddOnes(odd, "is no host", "Write off, open, or hosts like app.example.com in lower case, separated by commas.")
}

func setPrefixes(into *[]netip.Prefix, text string) error {
	*into = nil
	var odd []string
	for _, one := range lines(text) {
		prefix, err := netip.ParsePrefix(one)
		if addr, addrErr := netip.ParseAddr(one); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			odd = append(odd, one)
			continue
		}
		*into = append(*into, prefix.Masked())
	}
	return oddOnes(odd, "is no network", "Write networks like 10.0.0.0/8 or 2001:db8::/32, separated by commas.")
}

// setOrigins takes origins as browsers send them: RFC 6454 §6.1.
func setOrigins(into *[]string, text string) error {
	*into = nil
	var odd []string
	for _, one := range lines(text) {
		u, err := url.Parse(one)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || one != u.Scheme+"://"+strings.ToLower(u.Host) {
			odd = append(odd, one)
			continue
		}
		*into = append(*into, one)
	}
	return oddOnes(odd, "is no origin",
		"Write origins as browsers send them, like https://app.example.com: scheme, host and port in lower case, no path, no slash at the end.")
}

// oddOnes says which members of a list can't be used.
func oddOnes(odd []string, problem, mend string) error {
	if len(odd) == 0 {
		return nil
	}
	quoted := make([]string, len(odd))
	for i, one := range odd {
		quoted[i] = fmt.Sprintf("%q %s", one, problem)
	}
	return &unfit{"holds what can't be used: " + strings.Join(quoted, ", "), mend}
}

// setUserClaims takes those of the user's fields that tokens may carry.
func setUserClaims(into *[]string, text string) error {
	*into = nil
	var odd []string
	for _, one := range lines(text) {
		switch {
		case !slices.Contains(simplejwt.UserClaims(), one):
			odd = append(odd, one)
		case !slices.Contains(*into, one):
			*into = append(*into, one)
		}
	}
	return oddOnes(odd, "is no claim of the user", "Choose from "+strings.Join(simplejwt.UserClaims(), ", ")+", separated by commas.")
}

func setClaim(into *string, text string) error {
	taken := []string{"token_type", "exp", "iat", "jti", "iss", "aud", "sub", "nbf", "fam", "gen", "par", "sid", "refresh_exp", "client_id"}
	if slices.Contains(taken, text) {
		return &unfit{"is a claim that tokens have already", "Use another name, such as user_id."}
	}
	*into = text
	return nil
}

// setCookieName takes the name without the prefix, which is always there: what is written is what the option is called.
func setCookieName(into *string, text string) error {
	if lower := strings.ToLower(text); strings.HasPrefix(lower, "__host-") || strings.HasPrefix(lower, "__secure-") {
		return &unfit{"has a prefix", "Leave out __Host-; the cookie gets it by itself."}
	}
	cookie := http.Cookie{Name: text} // RFC 6265 §4.1.1: a token
	if text != "" && (cookie.Valid() != nil || len(text) > 64) {
		return &unfit{"is no name for a cookie", "Use up to 64 letters, digits, hyphens and underscores, like refresh."}
	}
	*into = text
	return nil
}

// lines splits the text of a list option; see joined.
func lines(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			found = append(found, line)
		}
	}
	return found
}

func setArgon2(into *string, text string) error {
	cost, err := users.ParseArgon2(text)
	if err != nil {
		return &unfit{"is no cost that can be used", "Write it like m=19456,t=2,p=1: KiB of memory, passes and lanes."}
	}
	*into = cost.String()
	return nil
}
