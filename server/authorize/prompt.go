package authorize

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/server/claims"
	"latchkey/server/protocol"
	"latchkey/storage"
)

func (a *Request) checkPrompt(context.Context) error {
	a.LoginHint, a.UILocales = a.params.Get("login_hint"), a.params.Get("ui_locales")
	a.acr = strings.Fields(a.params.Get("acr_values"))
	a.prompt = strings.Fields(a.params.Get("prompt"))
	for _, p := range a.prompt {
		if !slices.Contains(Prompts(), p) {
			return a.refuse("invalid_request", "The prompt must be none, login, consent or select_account.")
		}
	}
	if a.prompts(promptNone) && len(a.prompt) > 1 {
		return a.refuse("invalid_request", "prompt=none cannot be combined with other values.") // OpenID Connect Core §3.1.2.1
	}
	text := a.params.Get("max_age")
	if text == "" && a.Client.DefaultMaxAge != nil {
		text = strconv.FormatInt(*a.Client.DefaultMaxAge, 10)
	}
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseInt(text, 10, 32)
	if err != nil || seconds < 0 {
		return a.refuse("invalid_request", "The max_age must be a number of seconds.")
	}
	a.maxAge = time.Duration(seconds) * time.Second
	return nil
}

const (
	promptNone          = "none"
	promptLogin         = "login"
	promptConsent       = "consent"
	promptSelectAccount = "select_account"
)

// Prompts are the values of the prompt parameter (OpenID Connect Core §3.1.2.1).
func Prompts() []string {
	return []string{promptNone, promptLogin, promptConsent, promptSelectAccount}
}

func (a *Request) prompts(value string) bool { return slices.Contains(a.prompt, value) }

// checkACR reads the acr of the claims parameter, which goes before acr_values (OpenID Connect Core §5.5.1.1).
func (a *Request) checkACR(asked *claims.Request) error {
	values, essential := asked.ACR()
	if values == nil && !essential {
		return nil
	}
	a.acr, a.acrEssential = values, essential
	if essential && !slices.ContainsFunc(values, func(acr string) bool { return slices.Contains(a.service.cfg.ACRs, acr) }) {
		return a.refuse("unmet_authentication_requirements", "An essential acr was asked for that no login here has: acr_values_supported has those there are.")
	}
	return nil
}

// SecondFactor reports whether a password alone does not amount to the acr that is asked for, and whether one is essential.
func (a *Request) SecondFactor() (wanted, essential bool) {
	wanted = len(a.acr) > 0 && !claims.Meets([]string{claims.AMRPassword}, a.acr) &&
		slices.ContainsFunc(a.acr, func(acr string) bool { return slices.Contains(a.service.cfg.ACRs, acr) })
	return wanted, wanted && a.acrEssential
}

// steps reports whether the user of a session is to log in again with more. An acr that is not essential is asked of those who have a
// second factor only.
func (a *Request) steps(session *storage.LiveBrowserSession) bool {
	wanted, essential := a.SecondFactor()
	return wanted && !claims.Meets(session.AMR, a.acr) && (essential || session.SecondFactor && !claims.MultiFactor(session.AMR))
}

// checkSubject reads what says who the user must be: the id_token_hint and the sub of the claims parameter.
func (a *Request) checkSubject(ctx context.Context) error {
	a.Permissions = a.Scope
	if text := a.params.Get("claims"); text != "" {
		asked, err := claims.Parse(text)
		if err != nil {
			return a.refuse("invalid_request", "claims must be a JSON object (OpenID Connect Core 5.5).")
		}
		if err := a.checkACR(asked); err != nil {
			return err
		}
		allowed, err := a.service.authorizableScopes(ctx, a.Client)
		if err != nil {
			return err
		}
		a.claims, a.subject = a.service.cfg.Claims.Stored(asked, allowed), asked.Subject()
		a.Permissions = append(slices.Clip(a.Permissions), a.service.cfg.Claims.Beyond(a.claims, a.Scope, allowed)...)
	}
	if text := a.params.Get("id_token_hint"); text != "" {
		hint, err := a.service.cfg.Tokens.IDTokenHint(ctx, storage.Secret(text))
		var refused *protocol.Error
		switch {
		case errors.As(err, &refused):
			return a.refuse("invalid_request", "The id_token_hint is not an ID token of this issuer.")
		case err != nil:
			return err
		case a.subject != "" && a.subject != hint.Subject:
			return a.refuse("invalid_request", "The id_token_hint and the claims parameter name different users.")
		}
		a.subject = hint.Subject
	}
	return nil
}
