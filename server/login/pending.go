package login

import (
	"net/http"
	"time"

	"latchkey/server/route"
	"latchkey/server/users"
	"latchkey/storage"
)

// pendingCookie is the name of the cookie of a login whose password was right, and that still needs a second factor. For the prefix see
// session.CookieName.
const pendingCookie = "__Host-latchkey_login"

// pendingTTL is how long it may take to find the second factor.
const pendingTTL = 10 * time.Minute

const sealPending = "pending login"

// pending is the content of the cookie, sealed: what the login is about to write, and whose it is. It proves no more than the password.
type pending struct {
	User  int64 `json:"u"`
	Epoch int64 `json:"e"`
	At    int64 `json:"t"` // microseconds
	// Remember is what the user has asked for on the page before.
	Remember bool `json:"r,omitempty"`
	// Known and KnownUntil are those of storage.Login, NewHash too.
	Known      []byte    `json:"k,omitempty"`
	KnownUntil time.Time `json:"n,omitzero"`
	NewHash    string    `json:"h,omitempty"`
}

// suspend keeps a login in a cookie until the second factor is proved. The browser keeps the cookie until it is closed, so that one that is
// too old differs from none.
func (h *Handlers) suspend(w http.ResponseWriter, who *users.Authenticated, remember bool) error {
	p := pending{User: who.User.ID, Epoch: who.User.AuthEpoch, At: h.Sessions.Now().UnixMicro(), Remember: remember}
	if l := who.Login; l != nil {
		p.KnownUntil, p.NewHash = l.KnownUntil, l.NewHash
		if !l.Known.IsZero() {
			p.Known = l.Known[:]
		}
	}
	text, err := h.sealer.SealJSON(sealPending, p)
	if err != nil {
		return err
	}
	route.SetHostCookie(w, pendingCookie, text, 0)
	return nil
}

// pending returns the login of the request's cookie, or nil if there is none that is good.
func (h *Handlers) pending(r *http.Request) *pending {
	c, err := r.Cookie(pendingCookie)
	if err != nil {
		return nil
	}
	p := new(pending)
	if h.sealer.OpenJSON(sealPending, c.Value, p) != nil {
		return nil
	}
	if age := h.Sessions.Now().Sub(time.UnixMicro(p.At)); age >= pendingTTL || age < -time.Minute {
		return nil
	}
	return p
}

// login returns the login as it is written once the second factor is proved.
func (p *pending) login(u *storage.User, now time.Time) *storage.Login {
	l := &storage.Login{
		UserID: u.ID, Subject: u.Sub(), SetLastLogin: now, KnownUntil: p.KnownUntil, OldHash: u.PasswordHash, NewHash: p.NewHash,
	}
	copy(l.Known[:], p.Known)
	return l
}
