package main

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"github.com/alecthomas/kong"

	"latchkey/server"
	"latchkey/server/users"
)

type serveCmd struct {
	Migrate bool         `help:"Apply migrations first. SQLite always does."`
	Options kong.Plugins `embed:""`
}

func (c *serveCmd) Run(ctx context.Context, a *app) error {
	a.serving = true
	if c.Migrate {
		if _, err := a.migrate(ctx); err != nil {
			return err
		}
	}
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	s, err := a.newServer(store)
	if err != nil {
		return err
	}
	a.warn(ctx)
	return s.Run(ctx)
}

// newServer makes a server over the database out of the settings.
func (a *app) newServer(store *opened) (*server.Server, error) {
	root, err := a.root()
	if err != nil {
		return nil, err
	}
	cfg := a.settings.server
	cfg.Store, cfg.Root, cfg.Logger, cfg.Now = store, root, a.logger(), a.now
	return server.New(cfg)
}

// warn logs at the start what an operator should mend and what does not keep the server from working.
func (a *app) warn(ctx context.Context) {
	for _, f := range a.settings.weaknesses() {
		if f.name != "login-throttle" { // the server says that itself
			a.logger().WarnContext(ctx, f.problem, "setting", f.name, "mend", f.mend)
		}
	}
	if f := secretMode(a.settings); f != nil {
		a.logger().WarnContext(ctx, f.problem, "setting", f.name, "mend", f.mend)
	}
}

// weakness is a setting that works and should not stay.
type weakness struct{ name, problem, mend string }

// weaknesses are what can be said of the settings alone.
func (s *settings) weaknesses() (found []weakness) {
	if cost, err := users.ParseArgon2(s.server.Argon2); err == nil && cost.Weak() {
		found = append(found, weakness{
			"argon2", "new password hashes are cheaper than OWASP asks for: " + s.server.Argon2,
			"Use the default " + users.DefaultArgon2.String() + ", or with less memory m=12288,t=3,p=1.",
		})
	}
	if !s.server.LoginThrottle {
		found = append(found, weakness{
			"login-throttle", "nothing limits the guessing of passwords", "Turn --login-throttle (LATCHKEY_LOGIN_THROTTLE) on.",
		})
	}
	if s.given["secret"] == fromFlag {
		found = append(found, weakness{
			"secret", "the root secret is an argument, which other users of the machine can read",
			"Give it with LATCHKEY_SECRET or LATCHKEY_SECRET_FILE.",
		})
	}
	if key := s.server.SimpleJWT.SigningKey; key != "" && len(key) < 32 {
		found = append(found, weakness{
			"simplejwt-signing-key", "the signing key of the simplejwt routes is shorter than 32 bytes",
			"Use a longer one, or leave it out for one that is derived from the root secret (RFC 7518, section 3.2).",
		})
	}
	if s.server.SimpleJWT.Enabled && s.server.SimpleJWT.RefreshTokenLifetime > s.server.RefreshTokenTTL {
		found = append(found, weakness{
			"simplejwt-refresh-token-lifetime", "refresh tokens of the simplejwt routes end with their session, before their own lifetime",
			"Raise --refresh-token-ttl (LATCHKEY_REFRESH_TOKEN_TTL) to at least the same.",
		})
	}
	// Of all link-local addresses one is in use: that of the service from which machines in clouds get their credentials.
	cloud := netip.MustParsePrefix("169.254.0.0/16")
	for _, p := range s.server.OutboundAllow {
		if p.Overlaps(cloud) || p.Bits() == 0 {
			found = append(found, weakness{
				"outbound-allow", "URLs of clients may point to link-local addresses, the cloud's credentials among them: " + p.String(),
				"Name the networks that the clients are in, and no more.",
			})
		}
	}
	return found
}

// secretMode tells whether others can read the root secret of an SQLite database, or the database.
func secretMode(s *settings) *weakness {
	if s.database.postgres() {
		return nil
	}
	for _, path := range []string{s.database.path + secretFileSuffix, s.database.path} {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) || err != nil {
			continue
		}
		if info.Mode().Perm()&0o077 != 0 {
			return &weakness{"database-url", path + " can be read by other users of the machine", "chmod 600 " + path}
		}
	}
	return nil
}
