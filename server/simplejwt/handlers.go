package simplejwt

import (
	"cmp"
	"strings"
	"time"

	"latchkey/server/simplejwt/codec"
	"latchkey/server/simplejwt/drf"
)

// The addresses, as the original's documents have them.
const (
	ObtainPath    = "/api/token/"
	RefreshPath   = "/api/token/refresh/"
	VerifyPath    = "/api/token/verify/"
	BlacklistPath = "/api/token/blacklist/"
	// Those of sliding tokens.
	SlidingPath        = "/api/token/sliding/"
	SlidingRefreshPath = "/api/token/sliding/refresh/"
)

// realm is that of the WWW-Authenticate header.
const realm = "api"

// Config is the configuration of the handlers.
type Config struct {
	Tokens Tokens
	// Compat selects the words, where releases of simplejwt differ.
	Compat codec.Compat
	// UpdateLastLogin lets a login here set the user's last login (UPDATE_LAST_LOGIN).
	UpdateLastLogin bool
	// UsernameField is the name of the login field in bodies and error messages, that of the user model's USERNAME_FIELD; empty means
	// username.
	UsernameField string
	// Sliding serves sliding tokens too.
	Sliding bool
	// Cookie keeps the refresh token out of the bodies.
	Cookie RefreshCookie
	// Sunset is announced as the time at which the routes go away; zero = nothing is announced.
	Sunset time.Time
}

// Handlers are the routes.
type Handlers struct {
	cfg    Config
	cookie *cookie // nil: tokens travel in the bodies
}

// New makes the handlers.
func New(c Config) *Handlers {
	c.UsernameField = cmp.Or(c.UsernameField, "username")
	return &Handlers{cfg: c, cookie: newCookie(c.Cookie)}
}

// credentials are the fields of a login. The framework makes a field's label of its name.
func (h *Handlers) credentials() []drf.Field {
	label := strings.ToLower(strings.ReplaceAll(h.cfg.UsernameField, "_", " "))
	return []drf.Field{{Name: h.cfg.UsernameField, Label: strings.ToUpper(label[:1]) + label[1:]}, {Name: "password", Label: "Password"}}
}
