package web

import (
	"time"

	"latchkey/server/web/look"
	"latchkey/server/web/outcome"
)

// Step is a page with a few fields on the way of a letter, or one that asks before something that can't be undone.
type Step struct {
	// Name is that of its texts: step.NAME.title, .text, .submit and .next.
	Name string
	// Action is the URL that the form is sent to, Hidden its hidden fields. Without an Action there is no form.
	Action string
	Hidden []Field
	// Inputs are the names of its fields with their initial values: the texts input.NAME.
	Inputs []Field
	// Shown is the address or the name that the text speaks of; without it there is no text.
	Shown string
	// Problem and RetryAfter are as in Login.
	Problem    outcome.Problem
	RetryAfter time.Duration
	// Next is the URL of a link below, or empty.
	Next string
	// Look is that of the application that the letter leads back to.
	Look look.Client
}

// steps are the names of all steps.
var steps = []string{
	"forgot", "forgot_sent", "elsewhere", "reset", "gone", "verify", "verified", "sign_up", "sign_up_sent", "new_account", "email", "email_sent",
	"export", "remove", "removed", "first_password",
}

func (Step) page() string { return "step" }

func (v Step) asks() demands {
	return demands{Way: Way{Look: v.Look}, retryAfter: v.RetryAfter}
}

func (v Step) cleaned() View {
	v.Shown = clean(v.Shown, maxTyped)
	v.Inputs = each(v.Inputs, func(f *Field) { f.Value = typed(f.Value) })
	return v
}
