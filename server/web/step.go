package web

import (
	"slices"
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
	Next    string
	Locales string
	// Look and Away are as in Login.
	Look look.Client
	Away bool
}

// steps are the names of all steps.
var steps = []string{
	"forgot", "forgot_sent", "elsewhere", "reset", "gone", "verify", "verified", "sign_up", "sign_up_sent", "new_account", "email", "email_sent",
	"export", "remove", "removed",
}

func (Step) page() string { return "step" }

func (v Step) asks() demands {
	return demands{locales: v.Locales, look: v.Look, away: v.Away, retryAfter: v.RetryAfter}
}

func (v Step) cleaned() View {
	v.Shown = clean(v.Shown, maxTyped)
	v.Inputs = slices.Clone(v.Inputs)
	for i := range v.Inputs {
		if _, whole := visible(v.Inputs[i].Value, maxTyped); !whole {
			v.Inputs[i].Value = ""
		}
	}
	return v
}

// StepText returns a part of the step's texts; empty if it has none.
func (s *sheet) StepText(which string) ([]part, error) {
	v, _ := s.View.(Step)
	key := "step." + v.Name + "." + which
	if _, ok := s.locale.messages[key]; !ok {
		return nil, nil
	}
	return s.M(key, "shown", v.Shown)
}

// stepInput is a field of a step as the page has it.
type stepInput struct {
	Label, Note, Type, Autocomplete string
	// Wrong means that the step's problem is with this field.
	Wrong, Optional bool
}

// StepInput returns what a page needs to know of a field.
func (s *sheet) StepInput(name string) stepInput {
	v, _ := s.View.(Step)
	i := stepInput{Label: s.locale.text("input." + name), Type: "text", Autocomplete: "off"}
	if m, ok := s.locale.messages["input."+name+"_note"]; ok {
		i.Note = m.format()
	}
	wrong := func(problems ...outcome.Problem) { i.Wrong = slices.Contains(problems, v.Problem) }
	switch name {
	case "identifier":
		i.Autocomplete = "username"
	case "email":
		i.Type, i.Autocomplete = "email", "email"
		wrong(outcome.InvalidEmail)
	case "username":
		i.Autocomplete = "username"
		wrong(outcome.InvalidUsername, outcome.Taken)
	case "name":
		i.Autocomplete, i.Optional = "name", true
		wrong(outcome.InvalidName)
	case "code":
		i.Autocomplete = "one-time-code"
		wrong(outcome.WrongLetterCode)
	case "new_password":
		i.Type, i.Autocomplete = "password", "new-password"
		wrong(outcome.WeakPassword, outcome.InvalidPassword, outcome.Mismatch)
	case "new_password_again":
		i.Type, i.Autocomplete = "password", "new-password"
		wrong(outcome.Mismatch)
	}
	return i
}
