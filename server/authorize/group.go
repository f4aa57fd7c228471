package authorize

import (
	"errors"

	"latchkey/clients"
	"latchkey/server/internal/audit"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// Outside reports whether the user may not use the client: they are in none of the groups that it requires.
func (a *Request) Outside(session *storage.LiveBrowserSession) bool {
	return outside(a.Client, session)
}

// Outside is as for a Request.
func (d *DeviceRequest) Outside(session *storage.LiveBrowserSession) bool {
	return outside(d.Client, session)
}

func outside(c *clients.Client, session *storage.LiveBrowserSession) bool {
	return !c.Admits(session.User.Groups)
}

const saidOutside = "The user is in none of the groups that the client requires (require_groups)."

// OutsideRefusal is what operators learn of a user who may not use a client.
func OutsideRefusal(c *clients.Client, session *storage.LiveBrowserSession) audit.Refusal {
	r := audit.Refusal{ClientID: c.ID, Known: true, UserID: session.UserID, Error: "access_denied", Reason: string(reasons.Outside)}
	r.Details.Description = saidOutside
	return r
}

// refuseOutside refuses a user who may not use the client, where no page may say so.
func (a *Request) refuseOutside() error {
	err := a.refuse("access_denied", saidOutside)
	var refused *Error
	if errors.As(err, &refused) {
		refused.Err.Reason, refused.Honest = reasons.Outside, true
	}
	return err
}
