// Package television is a device without a keyboard, for the demo: a picture with a code, which the person scans with a telephone to let the
// device log in (RFC 8628 §3.3.1).
package television

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"latchkey/clients"
	"latchkey/server/authorize"
	"latchkey/server/clientauth"
	"latchkey/server/flow"
	"latchkey/server/internal/qr"
	"latchkey/server/protocol"
	"latchkey/server/token"
	"latchkey/storage"
)

// Path is where the picture is.
const Path = "/television"

// cookie holds the device code and the user code of the browser that shows the picture.
const cookie = "television"

// Config is the configuration of the television.
type Config struct {
	// ClientID is a public client that may use the device grant.
	ClientID string
	// Origin is the issuer without its path.
	Origin   string
	Requests *authorize.Service
	Tokens   *token.Service
	Paths    flow.Paths
}

// Television serves the picture.
type Television struct{ Config }

// New makes a television.
func New(c Config) *Television { return &Television{c} }

// Serve writes the picture: the code, and later the name of the person who has logged in. The browser asks again as often as a device may (RFC 8628 §3.5).
func (t *Television) Serve(w http.ResponseWriter, r *http.Request) error {
	if c, err := r.Cookie(cookie); err == nil {
		device, user, _ := strings.Cut(c.Value, ".")
		resp, err := t.poll(r, storage.Secret(device))
		refused := (*protocol.Error)(nil)
		switch {
		case err == nil:
			t.keep(w, "", -1)
			return write(w, "", "Logged in as "+cmp.Or(resp.User.Name, resp.User.Username), "Reload to begin again.")
		case !errors.As(err, &refused) || refused.Status >= http.StatusInternalServerError:
			return err
		case refused.Code == "authorization_pending" || refused.Code == "slow_down":
			return t.show(w, user)
		}
		// Denied or expired: the next code.
	}
	d, err := t.Requests.AskDevice(r.Context(), t.credentials(), url.Values{"client_id": {t.ClientID}, "scope": {"openid profile"}})
	if err != nil {
		return err
	}
	t.keep(w, d.DeviceCode.Reveal()+"."+d.UserCode, int(d.ExpiresIn))
	return t.show(w, d.UserCode)
}

func (t *Television) credentials() clientauth.Credentials {
	return clientauth.Credentials{Method: clients.AuthNone, ID: t.ClientID}
}

func (t *Television) poll(r *http.Request, device storage.Secret) (*token.Response, error) {
	return t.Tokens.Exchange(r.Context(), &token.Request{Client: t.credentials(), GrantType: clients.GrantDeviceCode, DeviceCode: device})
}

func (t *Television) keep(w http.ResponseWriter, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: value, Path: t.Paths.Base + Path, MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: strings.HasPrefix(t.Origin, "https:"),
	})
}

func (t *Television) show(w http.ResponseWriter, userCode string) error {
	const again = 6 // seconds: one more than the interval
	w.Header().Set("Refresh", strconv.Itoa(again))
	return write(w, t.Origin+string(t.Paths.Device(userCode)), userCode, "Scan the picture, or open "+t.Origin+string(t.Paths.Device(""))+" and enter the code.")
}

// write writes a picture: the QR code of an address, if there is one, a title and a line of text.
func write(w http.ResponseWriter, address, title, text string) error {
	drawn := ""
	if address != "" {
		path, size, err := qr.Path(address)
		if err != nil {
			return err
		}
		drawn = fmt.Sprintf(`<svg x="200" y="20" width="400" height="400" viewBox="0 0 %d %[1]d" shape-rendering="crispEdges"><path d="%s"/></svg>`, size, path)
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 600" font-family="sans-serif" text-anchor="middle"><title>`+
		`A device of the demo</title><rect width="800" height="600" fill="#fff"/>%s`+
		`<text x="400" y="480" font-size="48">%s</text><text x="400" y="540" font-size="20">%s</text></svg>`, drawn, escaped(title), escaped(text))
	return err
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
