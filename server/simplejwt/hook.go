package simplejwt

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"latchkey/server/internal/pyjson"
	"latchkey/server/internal/safehttp"
	"latchkey/storage"
)

// SiteHook is a Hook at a URL of the operator's own.
type SiteHook struct {
	URL string
	// Key is that of the MAC by which the site knows who asks.
	Key  storage.Secret
	HTTP *safehttp.Client
	Now  func() time.Time
	// Allowed returns an error for a name that can't be a claim.
	Allowed func(name string) error
}

// SignatureHeader has the time in seconds since 1970 and a MAC of it and the body: t=1767225600,v1=HEX, where v1 is the HMAC-SHA-256 of
// the time, a dot and the body.
const SignatureHeader = "Latchkey-Signature"

const (
	maxHookAnswer = 64 << 10
	maxHookClaims = 8 << 10 // tokens travel in headers
)

// Login implements Hook. Anything but an answer that can be used as a whole is an outage.
func (h *SiteHook) Login(ctx context.Context, subject string) (claims, answer *pyjson.Dict, err error) {
	body, err := json.Marshal(map[string]string{"event": "login", "user": subject})
	if err != nil {
		return nil, nil, err
	}
	at := strconv.FormatInt(h.Now().Unix(), 10)
	sum := hmac.New(sha256.New, []byte(h.Key.Reveal()))
	sum.Write([]byte(at + "."))
	sum.Write(body)
	resp, err := h.HTTP.Post(ctx, h.URL, body, safehttp.Options{
		Trusted: true, AllowHTTP: true, ContentTypes: []string{"application/json"}, MaxBytes: maxHookAnswer,
		Header: http.Header{"Content-Type": {"application/json"}, SignatureHeader: {"t=" + at + ",v1=" + hex.EncodeToString(sum.Sum(nil))}},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	claims, answer, err = h.read(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: its answer can't be used: %w", storage.ErrUnavailable, err)
	}
	return claims, answer, nil
}

// read reads {"claims": {…}, "answer": {…}}, of which either may be missing.
func (h *SiteHook) read(body []byte) (claims, answer *pyjson.Dict, err error) {
	d, ok := pyjson.DecodeDict(string(body), pyjson.Options{Strict: true, Unique: true})
	if !ok {
		return nil, nil, fmt.Errorf("it is no JSON object")
	}
	claims, answer = &pyjson.Dict{}, &pyjson.Dict{}
	for _, m := range d.Members() {
		part, ok := m.Value.(*pyjson.Dict)
		switch {
		case m.Key == "claims" && ok:
			claims = part
		case m.Key == "answer" && ok:
			answer = part
		default:
			return nil, nil, fmt.Errorf(`its member %.60q is neither "claims" nor "answer", or no object`, m.Key)
		}
	}
	for _, m := range claims.Members() {
		if err := h.Allowed(m.Key); err != nil {
			return nil, nil, err
		}
	}
	if n := len(pyjson.Append(nil, claims)); n > maxHookClaims {
		return nil, nil, fmt.Errorf("its claims have %d bytes, more than %d", n, maxHookClaims)
	}
	return claims, answer, nil
}
