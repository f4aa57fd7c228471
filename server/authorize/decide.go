package authorize

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/server/claims"
	"latchkey/server/flow"
	"latchkey/storage"
)

// Step is the next step of an authorization request.
type Step int

// The steps.
const (
	// StepLogin means that the user must sign in.
	StepLogin Step = iota
	// StepConsent means that the user must be asked, or must learn that they may not use the client.
	StepConsent
	// StepIssue means that the code can be issued.
	StepIssue
)

// Decide returns the next step. session is the user's session, with the consent for this client; nil means not signed in. The error is
// an *Error.
func (a *Request) Decide(session *storage.LiveBrowserSession) (Step, error) {
	switch {
	case session == nil || !a.marked(flow.Deny, session.ID):
	case a.Outside(session):
		return 0, a.refuse("access_denied", "The user may not use the client.")
	default:
		return 0, a.refuse("access_denied", "The user denied the request.")
	}
	need, err := a.needsLogin(session)
	switch {
	case err != nil:
		return 0, err
	case need != loginNotNeeded && a.prompts(promptNone):
		return 0, a.refuse("login_required", "The user is not signed in; send the request without prompt=none.")
	case need != loginNotNeeded:
		return StepLogin, nil
	case a.Outside(session) && a.prompts(promptNone):
		return 0, a.refuseOutside()
	case a.Outside(session):
		return StepConsent, nil // the page says so
	case !a.needsConsent(session):
		return StepIssue, nil
	case a.prompts(promptNone):
		return 0, a.refuse("consent_required", "The user's consent is required; send the request without prompt=none.")
	}
	return StepConsent, nil
}

// loginNeed says whether the user has to sign in.
type loginNeed int

const (
	loginNotNeeded loginNeed = iota
	// loginChoice means that the user is to choose the account, and may keep the current one (prompt=select_account).
	loginChoice
	loginNeeded
)

// needsLogin applies OpenID Connect Core §3.1.2.3. A login counts as new when it is later than the request.
func (a *Request) needsLogin(session *storage.LiveBrowserSession) (loginNeed, error) {
	if session == nil {
		return loginNeeded, nil
	}
	fresh := !session.AuthTime.Before(a.startedAt)
	switch {
	case a.subject != "" && a.subject != session.User.Sub():
		if fresh {
			// Asked for one user, signed in as another: asking again would never end.
			return loginNotNeeded, a.refuse("login_required", "The user who is signed in is not the one that was asked for.")
		}
		return loginNeeded, nil
	case fresh && a.acrEssential && !claims.Meets(session.AMR, a.acr):
		return loginNotNeeded, a.refuse("unmet_authentication_requirements", "The user could not log in with the essential acr.")
	case fresh:
		return loginNotNeeded, nil
	case a.steps(session):
		return loginNeeded, nil
	case a.prompts(promptLogin):
		return loginNeeded, nil
	case a.maxAge >= 0 && a.startedAt.Sub(session.AuthTime) > a.maxAge:
		return loginNeeded, nil
	case a.prompts(promptSelectAccount) && !a.chosen(session):
		return loginChoice, nil
	}
	return loginNotNeeded, nil
}

// MayKeepAccount reports whether the user need only confirm the account of the session.
func (a *Request) MayKeepAccount(session *storage.LiveBrowserSession) bool {
	need, err := a.needsLogin(session)
	return err == nil && need == loginChoice
}

// chosen reports whether the user has confirmed this account, or has gone on to the consent page with it.
func (a *Request) chosen(session *storage.LiveBrowserSession) bool {
	return a.marked(flow.Select, session.ID) || a.marked(flow.Allow, session.ID)
}

func (a *Request) needsConsent(session *storage.LiveBrowserSession) bool {
	switch {
	case a.marked(flow.Allow, session.ID):
		// The consent was stored before the decision was sealed. When it is missing the user has withdrawn it since.
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

// identified reports whether the client is known to be what it says it is, so that what was allowed to it need not be asked again.
//
// A program on the user's device can pose as a public client whose answers go to a loopback host or a private scheme: there
// consent is asked each time (RFC 8252 §8.6, RFC 6749 §10.2). An https redirect URI that was registered identifies a client (RFC 6819
// §5.2.4.1): one that no operator has verified must have no other, see docs/decisions/0018.
func (a *Request) identified() bool {
	if a.Client.Unverified() {
		return a.Client.WebOnly()
	}
	return !a.Client.Public() || strings.HasPrefix(a.RedirectURI, "https://")
}

// covers reports whether everything asked for was allowed before, to the client as it is now.
func covers(c *storage.Consent, a *Request) bool { return a.Allowed(c, a.Permissions...) }

// Allowed reports whether a consent allows the scopes to the client as it is now, at the resources of the request. What was allowed at
// one resource is not allowed at another: RFC 8707 §3.
func (a *Request) Allowed(c *storage.Consent, scope ...string) bool {
	return a.current(c) && c.Allows(scope, a.Resource, a.consentHost()) &&
		!slices.ContainsFunc(a.meant, func(resource string) bool { return !c.AllowsOffered(scope, resource, a.consentHost()) })
}

// current reports whether the consent is for the client as it is now.
func (a *Request) current(c *storage.Consent) bool {
	return c != nil && c.Fingerprint == a.Client.Fingerprint()
}

// seen returns those of the offered resources that the user has seen and allowed. An operator may have added others since.
func (a *Request) seen(c *storage.Consent) []string {
	return slices.DeleteFunc(slices.Clone(a.Offered), func(resource string) bool {
		return !a.current(c) || !c.AllowsOffered(a.Scope, resource, a.consentHost())
	})
}

// consentHost returns the host that consent is limited to: the page names it, and of a client that no operator has verified the user
// judges nothing else. Two hosts of one client may belong to different people.
func (a *Request) consentHost() string {
	if !a.Client.Unverified() || !a.Client.WebOnly() {
		return ""
	}
	u, err := url.Parse(a.RedirectURI)
	if err != nil { // a registered URI can be parsed
		return a.RedirectURI
	}
	return strings.ToLower(u.Host)
}

// ConsentOf returns the consent to store when the user allows this request.
func (a *Request) ConsentOf(userID int64) *storage.Consent {
	now := a.service.now()
	return &storage.Consent{
		UserID: userID, ClientID: a.Client.ID, Scope: a.Permissions, Audience: a.Resource, Offered: a.Offered, Fingerprint: a.Client.Fingerprint(),
		RedirectHost: a.consentHost(), CreatedAt: now, UpdatedAt: now,
	}
}

// marked reports whether the user of the session has just decided so.
func (a *Request) marked(d flow.Decision, session storage.ID) bool {
	age := a.service.now().Sub(time.UnixMicro(a.mark.At))
	return a.mark.Decision == d && a.mark.Session == session && age <= markTTL && age > -time.Minute
}
