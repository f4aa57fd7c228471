package authorize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/flow"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// The purposes of what is sealed.
const (
	sealContinuation = "continuation"
	sealTicket       = "ticket"
	// sealPushed is followed by the reference of the pushed request.
	sealPushed = "pushed request "
)

// How long an unfinished request lives: long enough to find a password, and what the user decided only as long as the
// redirects after it take.
const (
	continuationTTL = time.Hour
	markTTL         = 2 * time.Minute
)

// continuation is the content of a Continuation and of a Ticket. The parameters are checked anew each time, against the client as it is
// then.
type continuation struct {
	Params    url.Values `json:"p"`
	StartedAt int64      `json:"t"` // microseconds
	Mark      mark       `json:"m,omitzero"`
	// Pushed is the hash of the pushed request that the parameters come from.
	Pushed []byte `json:"u,omitempty"`
}

// ask is the decision of a ticket: none yet.
const ask flow.Decision = "ask"

// Continuation returns the request without a new decision.
func (a *Request) Continuation() flow.Continuation {
	return flow.Continuation(a.seal(sealContinuation, a.mark))
}

// Ticket returns the request for the consent page of a browser session.
func (a *Request) Ticket(session storage.ID) flow.Ticket {
	return flow.Ticket(a.seal(sealTicket, a.decided(session, ask)))
}

// Decided returns the request with what the user of a browser session has decided.
func (a *Request) Decided(session storage.ID, d flow.Decision) flow.Continuation {
	return flow.Continuation(a.seal(sealContinuation, a.decided(session, d)))
}

func (a *Request) decided(session storage.ID, d flow.Decision) mark {
	return mark{Session: session, At: a.service.now().UnixMicro(), Decision: d, Client: a.fingerprint()}
}

func (a *Request) seal(purpose string, m mark) string {
	c := continuation{Params: a.params, StartedAt: a.startedAt.UnixMicro(), Mark: m}
	if !a.pushed.IsZero() {
		c.Pushed = a.pushed[:]
	}
	text, err := a.service.cfg.Sealer.SealJSON(purpose, c)
	if err != nil {
		panic(err) // text, numbers and an ID
	}
	return text
}

// ErrTicket is returned for a form that was made for another browser session.
var ErrTicket = errors.New("the form belongs to another browser session")

// errStale is returned for a request that took too long, or whose address was cut off. It never goes to a client: its code is for the
// error page. The client is nil if it is not known.
func errStale(client *clients.Client) *Error {
	return &Error{Client: client, Err: protocol.Refuse("expired", reasons.Expired,
		"This request has expired, or its address was cut off. Requests are valid for an hour.")}
}

// Resume checks the request of a continuation, as Check does.
func (s *Service) Resume(ctx context.Context, c flow.Continuation) (*Request, error) {
	return s.resume(ctx, sealContinuation, string(c))
}

// ResumeTicket checks the request of a ticket, as Check does. Its form is valid only if BelongsTo reports so.
func (s *Service) ResumeTicket(ctx context.Context, t flow.Ticket) (*Request, error) {
	return s.resume(ctx, sealTicket, string(t))
}

// BelongsTo reports whether the ticket of the request was made for the session, which may be nil.
func (a *Request) BelongsTo(session *storage.LiveBrowserSession) bool {
	return session != nil && a.mark.Session == session.ID
}

// Shown reports whether the page of the ticket showed the client, and the resources that it may name later, as they are now. A user who allows a client allows what the page said.
func (a *Request) Shown() bool { return a.mark.Client == a.fingerprint() }

func (a *Request) fingerprint() string {
	sum := a.Client.Fingerprint()
	if len(a.Offered) > 0 {
		sum = sha256.Sum256(append(sum[:], strings.Join(a.Offered, " ")...))
	}
	return hex.EncodeToString(sum[:])
}

func (s *Service) resume(ctx context.Context, purpose, text string) (*Request, error) {
	var c continuation
	if err := s.cfg.Sealer.OpenJSON(purpose, text, &c); err != nil {
		return nil, errStale(nil)
	}
	started := time.UnixMicro(c.StartedAt).UTC()
	client, err := s.authorizingClient(ctx, c.Params)
	if age := s.now().Sub(started); age > continuationTTL || age < -time.Minute {
		return nil, arrived(errStale(client), c.Params)
	}
	if err != nil {
		return nil, arrived(err, c.Params)
	}
	var pushed storage.Digest
	copy(pushed[:], c.Pushed)
	a, err := s.check(ctx, client, c.Params, pushed)
	if err != nil {
		return nil, arrived(err, c.Params)
	}
	a.startedAt, a.mark = started, c.Mark
	return a, nil
}
