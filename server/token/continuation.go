package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"latchkey/storage"
)

// The purposes of what is sealed for a browser.
const (
	sealContinuation = "continuation"
	sealTicket       = "ticket"
	sealLogout       = "logout"
)

// How long an unfinished request lives: long enough to find a password, and what the user decided only as long as the
// redirects after it take.
const (
	continuationTTL = time.Hour
	markTTL         = 2 * time.Minute
)

// continuation is an authorization request on its way through the pages. The parameters are checked anew each time, against
// the client as it is then.
type continuation struct {
	Params    url.Values `json:"p"`
	StartedAt int64      `json:"t"` // microseconds
	Mark      mark       `json:"m,omitzero"`
}

// mark is what the user has decided on a page, in which browser session.
type mark struct {
	Session storage.ID `json:"s"`
	At      int64      `json:"t"` // microseconds
	// Decision is allow, deny, select, or ask for a ticket.
	Decision string `json:"d"`
}

const (
	decisionAsk    = "ask"
	decisionAllow  = "allow"
	decisionDeny   = "deny"
	decisionSelect = "select"
)

// Continuation is the request for the way through the pages, as text for an address: /oauth2/authorize?continue=…
func (a *Authorization) Continuation() string { return a.seal(sealContinuation, a.mark) }

// Ticket is the request for the form of the consent page; it is good in this browser session only.
func (a *Authorization) Ticket(session storage.ID) string {
	return a.seal(sealTicket, a.decided(session, decisionAsk))
}

// Allowed, Denied and Selected are continuations with what the user of this browser session has decided: that the client may
// have what it asks for, that it may not, or that this account is the right one.
func (a *Authorization) Allowed(session storage.ID) string {
	return a.seal(sealContinuation, a.decided(session, decisionAllow))
}

// Denied: see Allowed.
func (a *Authorization) Denied(session storage.ID) string {
	return a.seal(sealContinuation, a.decided(session, decisionDeny))
}

// Selected: see Allowed.
func (a *Authorization) Selected(session storage.ID) string {
	return a.seal(sealContinuation, a.decided(session, decisionSelect))
}

func (a *Authorization) decided(session storage.ID, decision string) mark {
	return mark{Session: session, At: a.s.now().UnixMicro(), Decision: decision}
}

func (a *Authorization) seal(purpose string, m mark) string {
	text, err := a.s.sealer.sealJSON(purpose, continuation{Params: a.params, StartedAt: a.startedAt.UnixMicro(), Mark: m})
	if err != nil {
		panic(err) // text, numbers and an ID
	}
	return text
}

// ErrTicket: a form was sent from another browser session than the one it was made for.
var ErrTicket = errors.New("the form belongs to another browser session")

// errStale says that a request took too long, or that its address was cut off. No client gets it: its code is for the error page,
// which tells the user then that nobody made a mistake.
func errStale() *AuthorizationError {
	return &AuthorizationError{Err: refuse("expired", http.StatusBadRequest, ReasonExpired,
		"This request has expired, or its address was cut off. It is good for an hour.")}
}

// Resume is Authorize for a continuation.
func (s *Service) Resume(ctx context.Context, text string) (*Authorization, error) {
	return s.resume(ctx, sealContinuation, text)
}

// ResumeTicket is Authorize for the ticket of a consent form, sent from the given browser session. ErrTicket; else as
// Authorize.
func (s *Service) ResumeTicket(ctx context.Context, ticket string, session storage.ID) (*Authorization, error) {
	a, err := s.resume(ctx, sealTicket, ticket)
	if err == nil && a.mark.Session != session {
		return nil, ErrTicket
	}
	return a, err
}

func (s *Service) resume(ctx context.Context, purpose, text string) (*Authorization, error) {
	var c continuation
	if err := s.sealer.openJSON(purpose, text, &c); err != nil {
		return nil, errStale()
	}
	started := time.UnixMicro(c.StartedAt).UTC()
	if age := s.now().Sub(started); age > continuationTTL || age < -time.Minute {
		return nil, errStale()
	}
	client, err := s.authorizingClient(ctx, c.Params)
	if err != nil {
		return nil, err
	}
	a, err := s.check(ctx, client, c.Params)
	if err != nil {
		return nil, err
	}
	a.startedAt, a.mark = started, c.Mark
	return a, nil
}

// marked tells whether the user of the session has just decided so.
func (a *Authorization) marked(decision string, session storage.ID) bool {
	age := a.s.now().Sub(time.UnixMicro(a.mark.At))
	return a.mark.Decision == decision && a.mark.Session == session && age <= markTTL && age > -time.Minute
}

// logoutTicket is a logout that a user is asked about.
type logoutTicket struct {
	Session storage.ID `json:"s"`
	At      int64      `json:"t"`
	Params  url.Values `json:"p"`
}

// LogoutTicket seals the parameters of a logout request for the form that asks the user of this browser session.
func (s *Service) LogoutTicket(session storage.ID, params url.Values) (string, error) {
	text, err := s.sealer.sealJSON(sealLogout, logoutTicket{Session: session, At: s.now().UnixMicro(), Params: params})
	if err != nil {
		return "", fmt.Errorf("ask for a logout: %w", err)
	}
	return text, nil
}

// OpenLogoutTicket gives the parameters back. ErrTicket: it is another session's, too old, or none.
func (s *Service) OpenLogoutTicket(text string, session storage.ID) (url.Values, error) {
	var t logoutTicket
	if err := s.sealer.openJSON(sealLogout, text, &t); err != nil || t.Session != session {
		return nil, ErrTicket
	}
	if age := s.now().Sub(time.UnixMicro(t.At)); age > continuationTTL || age < -time.Minute {
		return nil, ErrTicket
	}
	return t.Params, nil
}
