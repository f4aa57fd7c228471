package token

import (
	"slices"
	"strconv"
	"strings"

	"latchkey/storage"
)

// Step is what an authorization request needs next.
type Step int

// The steps.
const (
	// StepLogin: the user must say who they are.
	StepLogin Step = iota
	// StepConsent: the user must be asked.
	StepConsent
	// StepIssue: nothing is missing.
	StepIssue
)

// Decide says what the request needs next, session being who is signed in, with the consent for this client; nil = nobody. The
// error is an *AuthorizationError.
func (s *Service) Decide(a *Authorization, session *storage.LiveBrowserSession) (Step, error) {
	if session != nil && a.marked(decisionDeny, session.ID) {
		return 0, a.refuse("access_denied", "The user did not allow it.")
	}
	need, err := a.needsLogin(session)
	switch {
	case err != nil:
		return 0, err
	case need != loginNotNeeded && a.prompts(promptNone):
		return 0, a.refuse("login_required", "The user must sign in.")
	case need != loginNotNeeded:
		return StepLogin, nil
	case !a.needsConsent(session):
		return StepIssue, nil
	case a.prompts(promptNone):
		return 0, a.refuse("consent_required", "The user must be asked.")
	}
	return StepConsent, nil
}

// loginNeed is why somebody has to sign in.
type loginNeed int

const (
	loginNotNeeded loginNeed = iota
	// loginChoice: the user is to choose the account, and may keep the present one (prompt=select_account).
	loginChoice
	loginNeeded
)

// needsLogin: OpenID Connect Core §3.1.2.3. A login counts as new when it is later than the request.
func (a *Authorization) needsLogin(session *storage.LiveBrowserSession) (loginNeed, error) {
	if session == nil {
		return loginNeeded, nil
	}
	fresh := !session.AuthTime.Before(a.startedAt)
	switch {
	case a.subject != "" && a.subject != strconv.FormatInt(session.UserID, 10):
		if fresh {
			// Asked for one user, signed in as another: asking again would go round in circles.
			return loginNotNeeded, a.refuse("login_required", "Another user is signed in than the one asked for.")
		}
		return loginNeeded, nil
	case fresh:
		return loginNotNeeded, nil
	case a.prompts(promptLogin):
		return loginNeeded, nil
	case a.maxAge >= 0 && a.startedAt.Sub(session.AuthTime) > a.maxAge:
		return loginNeeded, nil
	case a.prompts(promptSelectAccount) && !a.chosen(session):
		return loginChoice, nil
	}
	return loginNotNeeded, nil
}

// MayKeepAccount tells whether the user need only say that the account of the session is the right one.
func (a *Authorization) MayKeepAccount(session *storage.LiveBrowserSession) bool {
	need, err := a.needsLogin(session)
	return err == nil && need == loginChoice
}

// chosen: the user has said that this account is the right one, or has gone on to the consent page with it.
func (a *Authorization) chosen(session *storage.LiveBrowserSession) bool {
	return a.marked(decisionSelect, session.ID) || a.marked(decisionAllow, session.ID)
}

func (a *Authorization) needsConsent(session *storage.LiveBrowserSession) bool {
	switch {
	case a.marked(decisionAllow, session.ID):
		// What was allowed is kept before the decision travels. When it is gone the user has taken it back since.
		return !covers(session.Consent, a)
	case a.prompts(promptConsent):
		return true
	case a.Client.FirstParty:
		return false
	case !a.identified():
		return true
	}
	return !covers(session.Consent, a)
}

// identified tells whether the client is known to be who it says it is. One that an operator has not verified may be anybody,
// and so may a public one whose answers go to a program on the user's device: such a client is asked about each time,
// whatever was allowed before (RFC 8252 §8.6, RFC 6749 §10.2).
func (a *Authorization) identified() bool {
	return !a.Client.Unverified() && (!a.Client.Public() || strings.HasPrefix(a.RedirectURI, "https://"))
}

// covers tells whether everything asked for was allowed before, to the client as it is now.
func covers(c *storage.Consent, a *Authorization) bool {
	return c != nil && c.Fingerprint == a.Client.Fingerprint() && within(a.Scope, c.Scope) && within(a.Resource, c.Audience)
}

func within(asked, allowed []string) bool {
	return !slices.ContainsFunc(asked, func(v string) bool { return !slices.Contains(allowed, v) })
}

// ConsentOf is what the user of a session allows with this request.
func (a *Authorization) ConsentOf(userID int64) *storage.Consent {
	now := a.s.now()
	return &storage.Consent{
		UserID: userID, ClientID: a.Client.ID, Scope: a.Scope, Audience: a.Resource, Fingerprint: a.Client.Fingerprint(),
		CreatedAt: now, UpdatedAt: now,
	}
}

// LocalOnly tells whether the answers go to the user's own computer, where any program may listen: http is for loopback
// hosts only (see clients.Validate).
func (a *Authorization) LocalOnly() bool { return strings.HasPrefix(a.RedirectURI, "http://") }
