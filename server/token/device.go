package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

const (
	// deviceKept is how long a device code is recognised after its redemption.
	deviceKept = 24 * time.Hour
	// deviceTwice is how long after the redemption another poll counts as one at the same time: a device that sends a poll twice, after a
	// connection that broke, loses nothing. It is short against the interval of the polls, so that the device whose code was
	// stolen notices it.
	deviceTwice = time.Second
	// devicePrefix lets secret scanners find a leaked code.
	devicePrefix = "lk_dc_"
)

// NewDeviceCode returns a device code (RFC 8628 §3.2) and what is stored of it.
func NewDeviceCode() (storage.Secret, storage.Digest) {
	code := clients.NewSecret(devicePrefix)
	return code, hashCode(code)
}

// deviceGrant is the device authorization grant (RFC 8628 §3.4). fosite has a handler for it, which is not used: it knows neither the end
// of a code that no user has decided about nor slow_down, and answers a denial with status 403; nothing would be left for it to decide.
type deviceGrant struct {
	*exchange
	code *storage.DeviceCode
}

// invalidDevice uses the same words whatever the reason.
func invalidDevice(reason reasons.Reason) *protocol.Error {
	return protocol.Refuse("invalid_grant", reason, "The device code is invalid or was used before, or it was issued to another client.")
}

// pollErrors are the errors of RFC 8628 §3.5, which are part of the way to a token.
var pollErrors = map[string]string{
	"authorization_pending": "The user has not answered yet. Ask again after the interval.",
	"slow_down":             "The device asks too often. It must leave 5 seconds more between two requests from now on.",
	"access_denied":         "The user has denied the request.",
	"expired_token":         "The device code has expired. Begin again with a device authorization request.",
}

func pollError(code string, reason reasons.Reason) *protocol.Error {
	return protocol.Refuse(code, reason, "%s", pollErrors[code])
}

func (g *deviceGrant) load(ctx context.Context) error {
	switch {
	case g.req.DeviceCode == "":
		return protocol.InvalidRequest("The parameter device_code is missing.")
	case !clients.IsSecret(devicePrefix, g.req.DeviceCode):
		return invalidDevice(reasons.Malformed)
	}
	found, err := g.store.PollDeviceCode(ctx, hashCode(g.req.DeviceCode), g.client.ID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return invalidDevice(reasons.UnknownGrant)
	case err != nil:
		return fmt.Errorf("find the device code: %w", err)
	case found.ClientID != g.client.ID:
		return invalidDevice(reasons.OtherClient) // as for authorization codes, what came of it is left alone
	}
	g.code, g.user = &found.DeviceCode, found.User
	return g.judge(ctx)
}

// judge returns nil for a code that may be redeemed.
func (g *deviceGrant) judge(ctx context.Context) error {
	c := g.code
	switch {
	case !c.RedeemedAt.IsZero():
		return g.replayed(ctx)
	case c.Decision == storage.DeviceDenied:
		return pollError("access_denied", reasons.None)
	case !g.now.Before(c.ValidUntil):
		return pollError("expired_token", reasons.Expired)
	case c.Decision == storage.DeviceApproved:
		if reason := endedFor(g.user, c.UserEpoch); reason != reasons.None {
			return invalidDevice(reason)
		}
		return nil
	case c.Slowed:
		return pollError("slow_down", reasons.None)
	}
	return pollError("authorization_pending", reasons.None)
}

// replayed ends the session that the code was redeemed for, as for authorization codes (RFC 9700 §4.5): a code that comes twice may have
// been stolen.
func (g *deviceGrant) replayed(ctx context.Context) error {
	if g.now.Before(g.code.RedeemedAt.Add(deviceTwice)) {
		return invalidDevice(reasons.Retired)
	}
	event := g.audit.Event(ctx, "device_code_reused", "client")
	event.UserID, event.ClientID, event.GrantID, event.Outcome = g.code.UserID, g.code.ClientID, g.code.GrantID, "denied"
	if err := g.revoke(ctx, g.code.GrantID, "device_code_reused", event); err != nil {
		return err
	}
	return invalidDevice(reasons.Retired)
}

func (g *deviceGrant) check(ctx context.Context) (err error) {
	// A scope parameter means nothing here: RFC 8628 §3.4 has none.
	g.scope = stillAllowed(g.client, g.code.Scope)
	g.audience, err = g.beginAudience(ctx, g.code.Audience, g.code.Offered)
	return err
}

// move stores the session and marks the code as used, in one statement. It is a session of its own, not part of the browser session in
// which the user has approved it: that browser is another device.
func (g *deviceGrant) move(ctx context.Context) error {
	c := g.code
	g.beginApproved(ctx, approval{c.UserID, c.UserEpoch, c.ClientEpoch, c.Audience, c.Offered, c.AuthTime, c.AMR})
	event := g.audit.Event(ctx, "device_code_redeemed", "user")
	event.UserID, event.ClientID, event.GrantID, event.Outcome = g.grant.UserID, g.client.ID, g.grant.ID, "success"
	err := g.store.RedeemDeviceCode(ctx, c.Hash, g.grant, g.now.Add(deviceKept), event)
	if errors.Is(err, storage.ErrConflict) {
		return invalidDevice(reasons.Retired) // another poll at the same time, or the user has taken it back
	}
	if err != nil {
		return fmt.Errorf("redeem the device code: %w", err)
	}
	g.audit.Written(event)
	return nil
}
