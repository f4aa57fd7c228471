package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/server/claims"
	"latchkey/server/keys"
	"latchkey/server/simplejwt"
	"latchkey/server/users"
	"latchkey/storage"
)

func setAddress(into *string, text string) error {
	if text == "" {
		*into = ""
		return nil
	}
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

// setDatabase never repeats the text, which may contain a password.
func setDatabase(into *Database, text string) error {
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "sqlite":
		switch {
		case rest == "":
			return &invalid{"names no file", "Write it like sqlite:latchkey.db or sqlite:/var/lib/latchkey/latchkey.db."}
		case strings.HasPrefix(rest, ":memory:"):
			return &invalid{"is an in-memory database", "Name a file, as sqlite:PATH: commands and restarts must find the data again."}
		}
		*into = Database{Path: strings.TrimPrefix(rest, "//")}
	case "postgres", "postgresql":
		if u, err := url.Parse(text); err != nil || !strings.HasPrefix(rest, "//") || u.Scheme == "" {
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

// setDjangoDatabase never repeats the text, which may contain a password.
func setDjangoDatabase(into *DjangoDatabase, text string) error {
	*into = DjangoDatabase{}
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" && u.Query().Get("host") == "":
		return &invalid{"is not a URL", "Write it like postgres://user:password@host:5432/name, with special characters in the password percent-encoded."}
	case u.Scheme == "postgres" || u.Scheme == "postgresql":
		*into = DjangoDatabase{URL: storage.Secret(text)}
		return nil
	case u.Scheme == "mysql" || u.Scheme == "mariadb":
		*into = DjangoDatabase{URL: storage.Secret(text), MySQL: true}
		return nil
	}
	return &invalid{"is neither postgres:// nor mysql://", "Write postgres://user:password@host:5432/name or mysql://user:password@host:3306/name."}
}

// setNames accepts names of claims.
func setNames(into *[]string, text string) error {
	*into = lines(text)
	for _, name := range *into {
		if err := (claims.Rule{Claim: name, Source: "username"}).Check(); err != nil {
			return &invalid{"has an invalid name: " + err.Error(), "Name claims that tokens have."}
		}
	}
	return nil
}

// setLink accepts a URL that people may be led to.
func setLink(into *string, text string) error {
	*into = ""
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return &invalid{"is not an https URL", "Write it like https://www.example.com/account/."}
	}
	*into = text
	return nil
}

func setText[T ~string](into *T, text string) error {
	*into = T(text)
	return nil
}

func setTexts(into *[]string, text string) error {
	*into = lines(text)
	return nil
}

func setRootSecret(into *storage.Secret, text string) error {
	if len(text) < keys.MinSecret {
		return &invalid{
			fmt.Sprintf("has %d bytes; at least %d are required", len(text), keys.MinSecret),
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
			return &invalid{
				fmt.Sprintf("has %[2]d bytes in secret %[1]d; at least %[3]d are required", i+1, len(one), keys.MinSecret),
				"Use the complete secrets, separated by commas (in a file: one per line).",
			}
		}
		*into = append(*into, storage.Secret(one))
	}
	return nil
}

// to returns the set of an option that parses its text into a value.
func to[T any](into *T, parse func(*T, string) error) func(string) error {
	return func(text string) error { return parse(into, text) }
}

// choice returns the set of an option that has one of several values.
func choice[T ~string](into *T, choices ...T) func(string) error {
	return func(text string) error {
		if !slices.Contains(choices, T(text)) {
			return &invalid{"is not one of the choices", fmt.Sprintf("Use %s.", alternatives(choices))}
		}
		*into = T(text)
		return nil
	}
}

// alternatives returns the choices as "a, b or c".
func alternatives[T ~string](choices []T) string {
	var b strings.Builder
	for i, c := range choices {
		switch i {
		case 0:
		case len(choices) - 1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(c))
	}
	return b.String()
}

// setSwitch accepts true and false too, which are common in YAML.
func setSwitch(into *bool, text string) error {
	switch text {
	case "on", "true":
		*into = true
	case "off", "false":
		*into = false
	default:
		return &invalid{"is neither on nor off", "Use on or off."}
	}
	return nil
}

func setLevel(into *slog.Level, text string) error {
	switch text {
	case "debug", "info", "warn", "error":
		return into.UnmarshalText([]byte(text))
	}
	return &invalid{"is not a log level", "Use debug, info, warn or error."}
}

func setResourcePolicy(anyResource *bool, text string) error {
	var policy string
	err := choice(&policy, "registered", "any")(text)
	*anyResource = policy == "any"
	return err
}

// setAccountFields accepts none as well, which is not the default.
func setAccountFields(into *[]string, text string) error {
	*into = []string{}
	var odd []string
	for _, field := range lines(text) {
		if !slices.Contains(users.OwnFields(), field) {
			odd = append(odd, field)
			continue
		}
		if !slices.Contains(*into, field) {
			*into = append(*into, field)
		}
	}
	return oddOnes(odd, "is no field that users can change themselves", "Use "+alternatives(users.OwnFields())+", separated by commas.")
}

// setRedirectSchemes accepts none as well, which is not the default.
func setRedirectSchemes(into *[]string, text string) error {
	*into = []string{}
	var odd []string
	for _, scheme := range lines(text) {
		if !clients.ValidRedirectScheme(scheme) {
			odd = append(odd, scheme)
			continue
		}
		*into = append(*into, scheme)
	}
	return oddOnes(odd, "is not a scheme that a client may have to itself", "Write schemes without the colon and in lower case, like cursor, separated by commas.")
}

func setAssertionAudience(onlyIssuer *bool, text string) error {
	var audience string
	err := choice(&audience, "default", "issuer")(text)
	*onlyIssuer = audience == "issuer"
	return err
}

func setDPoPNonce(required *bool, text string) error {
	var nonce string
	err := choice(&nonce, "optional", "required")(text)
	*required = nonce == "required"
	return err
}

func setRequirePKCE(all *bool, text string) error {
	var who string
	err := choice(&who, "default", "all")(text)
	*all = who == "all"
	return err
}

// DurationRemedy describes the format of durations.
const DurationRemedy = "Write it like 90s, 15m, 12h or 30d."

// setLifetime accepts durations of a second and more.
func setLifetime(into *time.Duration, text string) error {
	d, err := clients.ParseDuration(text)
	if err != nil {
		return &invalid{"is not a duration", DurationRemedy}
	}
	if d.Std() < time.Second {
		return &invalid{"is shorter than a second", DurationRemedy}
	}
	*into = d.Std()
	return nil
}

// setWait accepts zero as well.
func setWait(into *time.Duration, text string) error {
	d, err := clients.ParseDuration(text)
	if err != nil {
		return &invalid{"is not a duration", DurationRemedy}
	}
	if d < 0 {
		return &invalid{"is below zero", DurationRemedy}
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

// setCount accepts positive numbers.
func setCount(into *int, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 10_000_000 {
		return &invalid{"is not a number from 1 to 10000000", "Write it in digits, like 10000."}
	}
	*into = n
	return nil
}

// setMoment accepts a time, or a date for its beginning in UTC.
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
	return &invalid{"is neither a date nor a time", "Write it like 2027-01-31 or 2027-01-31T06:00:00Z."}
}

// setFolder accepts existing directories only, so that a misspelt one is reported at the start.
func setFolder(into *string, text string) error {
	*into = ""
	if text == "" {
		return nil
	}
	info, err := os.Stat(text)
	switch {
	case err != nil:
		return &invalid{"can't be read: " + err.Error(), "Name a directory that exists and that this user may read."}
	case !info.IsDir():
		return &invalid{"is not a directory", "Name the directory that contains the files."}
	}
	*into = text
	return nil
}

// setClientDocuments accepts off, open, or hosts in the form that URLs have.
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
	return oddOnes(odd, "is not a host name", "Write off, open, or hosts like app.example.com in lower case, separated by commas.")
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
	return oddOnes(odd, "is not a network", "Write networks like 10.0.0.0/8 or 2001:db8::/32, separated by commas.")
}

// setOrigins accepts origins as browsers send them: RFC 6454 §6.1.
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
	return oddOnes(odd, "is not an origin",
		"Write origins as browsers send them, like https://app.example.com: scheme, host and port in lower case, no path, no trailing slash.")
}

// oddOnes returns the error for the members of a list that are not valid.
func oddOnes(odd []string, problem, mend string) error {
	if len(odd) == 0 {
		return nil
	}
	quoted := make([]string, len(odd))
	for i, one := range odd {
		quoted[i] = fmt.Sprintf("%q %s", one, problem)
	}
	return &invalid{"has invalid values: " + strings.Join(quoted, ", "), mend}
}

// setUserClaims accepts the fields of a user that tokens may carry.
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
	return oddOnes(odd, "is not a user claim", "Choose from "+strings.Join(simplejwt.UserClaims(), ", ")+", separated by commas.")
}

func setClaim(into *string, text string) error {
	taken := []string{"token_type", "exp", "iat", "jti", "iss", "aud", "nbf", "fam", "gen", "par", "sid", "refresh_exp", "client_id"}
	if slices.Contains(taken, text) {
		return &invalid{"is a claim that tokens already have", "Use another name, such as user_id."}
	}
	*into = text
	return nil
}

// setLoginNames leaves the case alone, which has an option of its own.
func setLoginNames(into *storage.LoginNames, text string) error {
	names := map[string]bool{}
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "username" && name != "email" || names[name] {
			return &invalid{"is not a list of login names", "Use username, email or username,email."}
		}
		names[name] = true
	}
	into.Email, into.NoUsername = names["email"], !names["username"]
	return nil
}

func setFold(into *bool, text string) error {
	if text != "exact" && text != "fold" {
		return &invalid{"is not one of the choices", "Use exact or fold."}
	}
	*into = text == "fold"
	return nil
}

// setField accepts the name of a field of a Django model.
func setField(into *string, text string) error {
	if text == "password" || !fieldName.MatchString(text) {
		return &invalid{"is not the name of a login field", "Use the user model's USERNAME_FIELD, such as email."}
	}
	*into = text
	return nil
}

var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)

// setCookieName accepts the name without its prefix, which is always added.
func setCookieName(into *string, text string) error {
	if lower := strings.ToLower(text); strings.HasPrefix(lower, "__host-") || strings.HasPrefix(lower, "__secure-") {
		return &invalid{"has a prefix", "Leave out the prefix; __Host- is added automatically."}
	}
	cookie := http.Cookie{Name: text} // RFC 6265 §4.1.1: a token
	if text != "" && (cookie.Valid() != nil || len(text) > 64) {
		return &invalid{"is not a valid cookie name", "Use up to 64 letters, digits, hyphens and underscores, like refresh."}
	}
	*into = text
	return nil
}

// setLegacyCookies reads NAME;Path=…;Domain=….
func setLegacyCookies(into *[]simplejwt.LegacyCookie, text string) error {
	*into = nil
	return parseEach(text, simplejwt.ParseLegacyCookie, func(l simplejwt.LegacyCookie) bool {
		known := slices.Contains(*into, l)
		*into = append(*into, l)
		return !known
	}, "Write the name that Django uses, like refresh_token, and after semicolons the Path and Domain that Django sets.")
}

// lines splits the text of a list option, which joined has made.
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
		return &invalid{"is not a valid cost", "Write it like m=19456,t=2,p=1: KiB of memory, passes and lanes."}
	}
	*into = cost.String()
	return nil
}
