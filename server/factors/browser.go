package factors

import (
	"context"
	"errors"
	"net/http"
	"time"

	"latchkey/clients"
	"latchkey/server/route"
	"latchkey/storage"
)

// BrowserCookie is the name of the cookie of a remembered browser. For the prefix see session.CookieName.
const BrowserCookie = "__Host-latchkey_browser"

// BrowserTTL is how long a browser is remembered.
const BrowserTTL = 30 * 24 * time.Hour

const browserPrefix = "lk_rb_"

// MethodRemembered marks a login that needed no second factor since the browser was remembered: risk-based authentication (RFC 8176 §2).
const MethodRemembered = "rba"

// Remembered reports whether the request is from a browser that the user has asked to remember.
func (s *Service) Remembered(r *http.Request, set *Set) bool {
	c, err := r.Cookie(BrowserCookie)
	if err != nil || !clients.IsSecret(browserPrefix, storage.Secret(c.Value)) {
		return false
	}
	return s.withMAC(set.Browsers, "browser", set.User.ID, c.Value) != nil
}

// Remember remembers the browser for logins of the user. One that was remembered first is forgotten if there are too many.
func (s *Service) Remember(ctx context.Context, w http.ResponseWriter, set *Set, userAgent string) error {
	if len(set.Browsers) >= maxBrowsers {
		oldest := storage.FactorRemoval{UserID: set.User.ID, IDs: []storage.ID{set.Browsers[0].ID}}
		if err := s.remove(ctx, oldest, nil); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	value := clients.NewSecret(browserPrefix)
	f := s.newFactor(set.User, storage.FactorBrowser, userAgent)
	f.Lookup, f.UserEpoch, f.ExpiresAt = s.mac(0, "browser", f.UserID, value.Reveal()), set.User.AuthEpoch, f.CreatedAt.Add(BrowserTTL)
	e := s.event(ctx, "browser_remembered", "user", f.UserID)
	// Browsers that are forgotten already count until they are removed.
	err := s.create(ctx, storage.NewFactors{UserID: f.UserID, Factors: []*storage.Factor{f}, Limit: 3 * maxBrowsers}, e)
	if errors.Is(err, ErrTooMany) {
		return nil
	}
	if err != nil {
		return err
	}
	route.SetHostCookie(w, BrowserCookie, value.Reveal(), int(BrowserTTL/time.Second))
	return nil
}
