package web

import (
	"slices"

	"latchkey/server/web/outcome"
)

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

// stepInputs are the fields of the steps, and the problems that are with them.
var stepInputs = map[string]struct {
	kind, autocomplete string
	optional           bool
	wrong              []outcome.Problem
}{
	"identifier":         {"text", "username", false, nil},
	"email":              {"email", "email", false, []outcome.Problem{outcome.InvalidEmail}},
	"username":           {"text", "username", false, []outcome.Problem{outcome.InvalidUsername, outcome.Taken}},
	"name":               {"text", "name", true, []outcome.Problem{outcome.InvalidName}},
	"code":               {"text", "one-time-code", false, []outcome.Problem{outcome.WrongLetterCode}},
	"new_password":       {"password", "new-password", false, []outcome.Problem{outcome.WeakPassword, outcome.InvalidPassword, outcome.Mismatch}},
	"new_password_again": {"password", "new-password", false, []outcome.Problem{outcome.Mismatch}},
}

// StepInput returns what a page needs to know of a field.
func (s *sheet) StepInput(name string) stepInput {
	v, _ := s.View.(Step)
	i := stepInputs[name]
	return stepInput{
		Label: s.locale.text("input." + name), Note: s.locale.text("input." + name + "_note"), Type: i.kind, Autocomplete: i.autocomplete,
		Wrong: slices.Contains(i.wrong, v.Problem), Optional: i.optional,
	}
}
