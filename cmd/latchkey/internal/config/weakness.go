package config

import (
	"net/netip"
	"os"

	"latchkey/server/password"
)

// Weakness is a setting that works and should be changed.
type Weakness struct{ Name, Problem, Remedy string }

// Weaknesses returns what should be changed in the settings, by looking at them alone.
func (s *Settings) Weaknesses() (found []Weakness) {
	add := func(name, problem, remedy string) { found = append(found, Weakness{name, problem, remedy}) }
	c := &s.Server
	if cost, err := password.ParseArgon2(c.Argon2); err == nil && cost.Weak() {
		add("argon2", "new password hashes are cheaper than OWASP recommends: "+c.Argon2,
			"Use the default "+password.DefaultArgon2.String()+", or with less memory m=12288,t=3,p=1.")
	}
	if !c.LoginThrottle {
		add("login-throttle", "password guessing is not limited", "Turn --login-throttle (LATCHKEY_LOGIN_THROTTLE) on.")
	}
	if s.Source("secret") == FromFlag {
		add("secret", "the root secret is an argument, which other users of the machine can read", "Use LATCHKEY_SECRET or LATCHKEY_SECRET_FILE.")
	}
	if key := c.SimpleJWT.SigningKey; key != "" && len(key) < 32 {
		add("simplejwt-signing-key", "the signing key of the simplejwt routes is shorter than 32 bytes",
			"Use a longer one, or leave it out for one that is derived from the root secret (RFC 7518, section 3.2).")
	}
	if c.SimpleJWT.Enabled && c.SimpleJWT.RefreshTokenLifetime > c.RefreshTokenTTL {
		add("simplejwt-refresh-token-lifetime", "refresh tokens of the simplejwt routes end with their session, before their own lifetime",
			"Raise --refresh-token-ttl (LATCHKEY_REFRESH_TOKEN_TTL) to at least the same.")
	}
	cloud := netip.MustParsePrefix("169.254.0.0/16") // has the address of the cloud's metadata service
	for _, p := range c.OutboundAllow {
		if p.Overlaps(cloud) || p.Bits() == 0 {
			add("outbound-allow", "URLs of clients may point to link-local addresses, including the cloud's credentials: "+p.String(),
				"Allow only the networks that the clients are in.")
		}
	}
	return found
}

// ReadableByOthers returns the files of an SQLite database that other users of the machine can read.
func (s *Settings) ReadableByOthers() (found []Weakness) {
	if s.Database.Postgres() {
		return nil
	}
	for _, path := range []string{s.Database.SecretPath(), s.Database.Path} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			found = append(found, Weakness{"database-url", path + " can be read by other users of the machine", "chmod 600 " + path})
		}
	}
	return found
}
