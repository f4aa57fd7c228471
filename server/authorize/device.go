package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"latchkey/clients"
	"latchkey/server/clientauth"
	"latchkey/server/flow"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/token"
	"latchkey/storage"
)

const (
	// deviceTTL is how long a user has to answer (RFC 8628 §3.2).
	deviceTTL = 10 * time.Minute
	// deviceKnown is how long after that a device learns that its code has expired.
	deviceKnown = time.Hour
	// deviceInterval is how many seconds a device leaves between two polls.
	deviceInterval = 5
)

// Device is the answer to a device authorization request (RFC 8628 §3.2).
type Device struct {
	DeviceCode storage.Secret
	// UserCode is as it is shown.
	UserCode string
	// ExpiresIn and Interval are in seconds.
	ExpiresIn, Interval int64
}

// DeviceRequest is a device authorization request that waits for the answer of a user who has entered its code.
type DeviceRequest struct {
	Client *clients.Client
	// UserCode is as it is shown.
	UserCode        string
	Scope, Resource []string
	// Offered is as in Request.
	Offered []string
	// Address and At are where and when the device has asked.
	Address string
	At      time.Time
	// Ticket is for the form with the answer. It is valid in one browser session only.
	Ticket flow.Ticket
}

// AskDevice checks and keeps a device authorization request (RFC 8628 §3.1). The error is a *protocol.Error or an outage.
func (s *Service) AskDevice(ctx context.Context, cred clientauth.Credentials, params url.Values) (*Device, error) {
	client, err := s.cfg.Auth.Authenticate(ctx, cred)
	if err != nil {
		return nil, err
	}
	if !client.Allows(clients.GrantDeviceCode) {
		return nil, &Error{Client: client, Err: protocol.Refuse("unauthorized_client", reasons.BadRequest,
			"The client is not registered for the grant type %s.", clients.GrantDeviceCode)}
	}
	a := &Request{service: s, Client: client, params: params, startedAt: s.now(), maxAge: -1}
	for _, step := range [...]func(context.Context) error{a.checkForm, a.checkResource, a.checkScope, a.checkOffered} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	var device *Device
	err = s.limited(ctx, client, func() (err error) {
		device, err = s.keepDevice(ctx, a)
		return err
	})
	return device, err
}

// givenBack returns attempts after an error that is not the caller's, and returns the error. If that fails too, they are lost.
func (s *Service) givenBack(ctx context.Context, err error, buckets []storage.Bucket) error {
	if err != nil && protocol.AsError(err).Status >= http.StatusInternalServerError {
		err = errors.Join(err, storage.GiveBack(ctx, s.cfg.Store, s.now(), buckets...))
	}
	return err
}

// keepDevice stores a request under new codes.
func (s *Service) keepDevice(ctx context.Context, a *Request) (*Device, error) {
	from, now := request.From(ctx), s.now()
	const tries = 3 // a user code may be taken: one in 10⁸ if 250 are out
	for try := 1; ; try++ {
		userCode := newUserCode()
		code, hash := token.NewDeviceCode()
		err := s.cfg.Store.CreateDeviceCode(ctx, &storage.DeviceCode{
			Hash: hash, UserCode: s.userCodeMACs(userCode)[0], ClientID: a.Client.ID, ClientEpoch: a.Client.AuthEpoch,
			Scope: a.Scope, Audience: a.Resource, Offered: a.Offered, Address: from.AddressText(), UserAgent: from.UserAgent, Interval: deviceInterval,
			CreatedAt: now, ValidUntil: now.Add(deviceTTL), ExpiresAt: now.Add(deviceTTL + deviceKnown),
		})
		if errors.Is(err, storage.ErrExists) && try < tries {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("keep a device authorization request: %w", err)
		}
		return &Device{
			DeviceCode: code, UserCode: shownUserCode(userCode), ExpiresIn: int64(deviceTTL / time.Second), Interval: deviceInterval,
		}, nil
	}
}

// ErrUserCode is returned for a user code that no device waits with.
var ErrUserCode = errors.New("no device waits with this code")

// EnterUserCode finds the request that waits with a user code, for the user of a session. Right codes and wrong ones cost one attempt each.
// The error is ErrUserCode, a *protocol.Error with Retry-After when too many were tried, or an outage.
func (s *Service) EnterUserCode(ctx context.Context, typed string, session *storage.LiveBrowserSession) (*DeviceRequest, error) {
	buckets, err := s.limitUserCodes(ctx, session.UserID)
	if err != nil {
		return nil, err
	}
	userCode := plainUserCode(typed)
	if !isUserCode(userCode) {
		return nil, ErrUserCode
	}
	var found *storage.DeviceCode
	for _, sum := range s.userCodeMACs(userCode) {
		pending, err := s.cfg.Store.PendingDeviceCode(ctx, sum, s.now())
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, s.givenBack(ctx, fmt.Errorf("find a device: %w", err), buckets)
		}
		if err == nil {
			found = pending
		}
	}
	if found == nil {
		return nil, ErrUserCode
	}
	d, err := s.deviceRequest(ctx, deviceTicket{
		Hash: found.Hash[:], Session: session.ID, UserCode: userCode, ClientID: found.ClientID, Scope: found.Scope, Resource: found.Audience, Offered: found.Offered,
		Address: found.Address, At: found.CreatedAt,
	})
	return d, s.givenBack(ctx, err, buckets)
}

// deviceTicket is what a form with the answer carries.
type deviceTicket struct {
	Hash     []byte     `json:"h"` // of the device code
	Session  storage.ID `json:"s"`
	UserCode string     `json:"u"`
	ClientID string     `json:"c"`
	Version  int64      `json:"v"` // of the client that the page shows
	Scope    []string   `json:"p"`
	Resource []string   `json:"r"`
	Offered  []string   `json:"o,omitempty"`
	Address  string     `json:"a"`
	At       time.Time  `json:"t"`
}

const sealDevice = "device ticket"

// deviceRequest returns the request of a ticket with the client as it is now. A client that is gone waits for nothing: ErrUserCode.
func (s *Service) deviceRequest(ctx context.Context, t deviceTicket) (*DeviceRequest, error) {
	client, err := s.cfg.Clients.Client(ctx, t.ClientID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && client.Disabled {
		return nil, ErrUserCode
	}
	if err != nil {
		return nil, fmt.Errorf("find the client of a device: %w", err)
	}
	t.Version = client.Version
	ticket, err := s.cfg.Sealer.SealJSON(sealDevice, t)
	if err != nil {
		return nil, fmt.Errorf("seal a device ticket: %w", err)
	}
	return &DeviceRequest{
		Client: client, UserCode: shownUserCode(t.UserCode), Scope: t.Scope, Resource: t.Resource, Offered: t.Offered, Address: t.Address, At: t.At,
		Ticket: flow.Ticket(ticket),
	}, nil
}

// OpenDevice returns the request of a ticket that was made for the session; changed reports that the page of the ticket showed the client
// as it is no more. The error is ErrTicket, ErrUserCode or an outage.
func (s *Service) OpenDevice(ctx context.Context, ticket flow.Ticket, session *storage.LiveBrowserSession) (d *DeviceRequest, changed bool, err error) {
	t, err := s.openDevice(ticket, session)
	if err != nil {
		return nil, false, err
	}
	d, err = s.deviceRequest(ctx, t)
	return d, err == nil && d.Client.Version != t.Version, err
}

func (s *Service) openDevice(ticket flow.Ticket, session *storage.LiveBrowserSession) (t deviceTicket, err error) {
	if s.cfg.Sealer.OpenJSON(sealDevice, string(ticket), &t) != nil || t.Session != session.ID || len(t.Hash) != len(storage.Digest{}) {
		return t, ErrTicket
	}
	return t, nil
}

// AnswerDevice stores the decision of the user of the session about the request of a ticket. The error is ErrUserCode if the request does
// not wait any more, or an outage.
func (s *Service) AnswerDevice(
	ctx context.Context, d *DeviceRequest, session *storage.LiveBrowserSession, decision storage.DeviceDecision, event *storage.AuditEvent,
) error {
	t, err := s.openDevice(d.Ticket, session)
	if err != nil {
		return err
	}
	err = s.cfg.Store.AnswerDeviceCode(ctx, storage.DeviceAnswer{
		Hash: storage.Digest(t.Hash), Decision: decision,
		UserID: session.UserID, UserEpoch: session.UserEpoch, AuthTime: session.AuthTime, AMR: session.AMR, Now: s.now(),
	}, event)
	if errors.Is(err, storage.ErrConflict) {
		return ErrUserCode
	}
	if err != nil {
		return fmt.Errorf("answer a device: %w", err)
	}
	return nil
}
