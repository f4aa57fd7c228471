package operator

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"latchkey/server/claims"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/session"
	"latchkey/server/token"
)

// scopeEnd is the scope of what ends sessions.
const scopeEnd = "latchkey:sessions:write"

// stepUp refuses a change by a person whose login is older than the console allows, or left out the second factor
// (RFC 9470 §3). A thief with a refresh token can read, but makes no lasting way in: no user, no client, no password. What ends sessions is never
// refused, since an operator who has noticed a theft does that first. A client of client_credentials has no login.
func (g *Gate) stepUp(ctx context.Context, access *token.Access, scope string) error {
	if access.User == nil || scope == scopeEnd || !strings.HasSuffix(scope, ":write") {
		return nil
	}
	recent := len(access.AMR) > 0 && access.Age <= session.ConfirmedFor
	weak := false
	if !claims.MultiFactor(access.AMR) && !g.Factors.Off() {
		set, err := g.Factors.Of(ctx, access.User)
		if err != nil {
			return err
		}
		weak = set.Any()
	}
	if recent && !weak {
		return nil
	}
	e := protocol.Refuse("insufficient_user_authentication", reasons.StepUp,
		"A change by a person needs a login of the last %d minutes, with the second factor if the person has one. Log in again.", session.ConfirmedFor/time.Minute)
	e.Status = http.StatusUnauthorized
	more := ""
	if weak {
		more = fmt.Sprintf(`, acr_values="%s"`, claims.ACRMultiFactor)
	}
	return &challengedError{e, more + fmt.Sprintf(`, max_age="%d"`, session.ConfirmedFor/time.Second)}
}
