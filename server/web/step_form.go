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
