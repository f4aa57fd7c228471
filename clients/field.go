package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"latchkey/clients/colour"
)

// Field is a field of Metadata or Policy, as its tags describe it:
//
//	json         its name
//	enum         the values that it may have, or the members of its list
//	check        the name of the check of its text, or of the members of its list: see textChecks
//	max          the longest duration
//	trust        "keeps": a client that changes it by itself stays verified; see Registration.Describe
//	placeholder  what its value is called in the command's help; help describes it there and in the documentation
type Field struct {
	// Name is the name of the JSON member.
	Name string
	// Policy reports whether it is a field of Policy, which only an operator sets.
	Policy bool
	// Type is how the value is written on the command line.
	Type FieldType
	// Values are those that the field may have, if they are few.
	Values            []string
	Placeholder, Help string

	index int // in Metadata or Policy
	check textCheck
	max   Duration
}

// FieldType is the type of a field.
type FieldType string

// The types of fields, as error messages name them.
const (
	Text     FieldType = "a string"
	List     FieldType = "an array of strings"
	Boolean  FieldType = "true or false"
	Seconds  FieldType = "a number of seconds"
	Interval FieldType = "a duration like 90s, 15m, 12h or 30d"
	Object   FieldType = "an object"
)

// Fields is the table of all fields. Never change it.
var Fields = slices.Concat(fieldsOf(reflect.TypeFor[Metadata](), false), fieldsOf(reflect.TypeFor[Policy](), true))

func fieldsOf(t reflect.Type, policy bool) []Field {
	list := make([]Field, t.NumField())
	for i := range list {
		tag := t.Field(i).Tag
		f := Field{Policy: policy, Type: typeOf(t.Field(i).Type), Placeholder: tag.Get("placeholder"), Help: tag.Get("help"), index: i}
		f.Name, _, _ = strings.Cut(tag.Get("json"), ",")
		f.check = textChecks[tag.Get("check")]
		if values, ok := tag.Lookup("enum"); ok {
			f.Values = strings.Split(values, ",")
			f.check = f.checkValue
		}
		f.max, _ = ParseDuration(tag.Get("max"))
		list[i] = f
	}
	return list
}

func typeOf(t reflect.Type) FieldType {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return Object
	case t == reflect.TypeFor[Duration]():
		return Interval
	case t.Kind() == reflect.Int64:
		return Seconds
	case t.Kind() == reflect.Slice:
		return List
	case t.Kind() == reflect.Bool:
		return Boolean
	}
	return Text
}

// of returns the field of a registration, addressable.
func (f *Field) of(r *Registration) reflect.Value {
	if f.Policy {
		return reflect.ValueOf(&r.Policy).Elem().Field(f.index)
	}
	return reflect.ValueOf(&r.Metadata).Elem().Field(f.index)
}

// read sets the field to a JSON value. null is the same as an absent member (RFC 7592 §2.2).
func (f *Field) read(r *Registration, value json.RawMessage) error {
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	if json.Unmarshal(value, f.of(r).Addr().Interface()) != nil {
		return Invalid(f.Name, "it must be %s", f.Type)
	}
	return nil
}

// Replace sets the field to a JSON value; null resets it, as in a JSON merge patch (RFC 7396).
func (f *Field) Replace(r *Registration, value json.RawMessage) error {
	f.of(r).SetZero()
	return f.read(r, value)
}

// Flag returns the name of the command's flag for the field: one of it names one member of a list.
func (f *Field) Flag() string {
	name := f.Name
	if f.Type == List {
		name = strings.TrimSuffix(name, "s")
	}
	return strings.ReplaceAll(name, "_", "-")
}

// Set sets the field to what was given on the command line: one value, or several for a list. An empty value resets the field.
func (f *Field) Set(r *Registration, given ...string) error {
	f.of(r).SetZero()
	text := strings.Join(given, " ") // several values of --scope are one scope
	if text == "" {
		return nil
	}
	value := []byte(text)
	switch f.Type {
	case List:
		value, _ = json.Marshal(slices.DeleteFunc(slices.Clone(given), func(s string) bool { return s == "" }))
	case Text, Interval:
		value, _ = json.Marshal(text)
	}
	return f.read(r, value)
}

// validate checks the field by itself. Lists and what is behind a pointer are replaced by a copy.
func (f *Field) validate(r *Registration) error {
	v := f.of(r)
	optional := v.Kind() == reflect.Pointer
	if optional && !v.IsNil() {
		own := reflect.New(v.Type().Elem())
		own.Elem().Set(v.Elem())
		v.Set(own)
		v = own.Elem()
	}
	if v.IsZero() {
		return nil
	}
	switch f.Type {
	case List:
		list, err := cleanList(v.Interface().([]string))
		v.Set(reflect.ValueOf(list))
		for _, member := range list {
			err = and(err, f.check(member, r))
		}
		return err
	case Text:
		return f.check(v.String(), r)
	case Seconds:
		if longest := int64(f.max.Std() / time.Second); v.Int() < 0 || v.Int() > longest {
			return fmt.Errorf("it must be a number of seconds from 0 to %d", longest)
		}
	case Interval:
		return f.checkDuration(Duration(v.Int()), optional)
	}
	return nil
}

// and returns an error that says both, so that a developer learns of each member that is wrong.
func and(err, more error) error {
	switch {
	case err == nil:
		return more
	case more == nil:
		return err
	}
	return fmt.Errorf("%w; %w", err, more)
}

// checkDuration checks a duration. One that is optional may be zero, others are whole seconds: tokens have no finer times.
func (f *Field) checkDuration(d Duration, optional bool) error {
	switch {
	case optional && (d < 0 || d > f.max):
		return fmt.Errorf("%s is not from 0s to %s", d, f.max)
	case !optional && (d.Std() < time.Second || d > f.max || d.Std()%time.Second != 0):
		return fmt.Errorf("%s is not a number of seconds from 1s to %s", d, f.max)
	}
	return nil
}

// checkValue checks that a text is one of the few that are allowed.
func (f Field) checkValue(text string, _ *Registration) error {
	if !slices.Contains(f.Values, text) {
		return fmt.Errorf("%.200q is not one of %s", text, strings.Join(f.Values, ", "))
	}
	return nil
}

// cleanList bounds a list and returns a copy without empty and repeated members, in order; nil when none is left.
func cleanList(list []string) (kept []string, err error) {
	const longest = 100
	if len(list) > longest {
		return nil, fmt.Errorf("it has more than %d members", longest)
	}
	for _, s := range list {
		if s != "" && !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept, nil
}

// A textCheck returns what is wrong with a text, given what else the client is registered with.
type textCheck func(text string, r *Registration) error

// textChecks are the checks that tags name.
var textChecks = map[string]textCheck{
	"text":         func(text string, _ *Registration) error { return CheckText(text) },
	"redirect_uri": func(uri string, r *Registration) error { return inURI(uri, r.checkRedirectURI(uri)) },
	"web_uri":      func(uri string, _ *Registration) error { return inURI(uri, checkWebURI(uri)) },
	"https_uri":    func(uri string, _ *Registration) error { return inURI(uri, checkHTTPSURI(uri)) },
	"resource":     func(uri string, _ *Registration) error { return inURI(uri, checkResource(uri)) },
	"accent":       func(text string, _ *Registration) error { return colour.Light().Check(text) },
	"accent_dark":  func(text string, _ *Registration) error { return colour.Dark().Check(text) },
	"claim":        func(name string, _ *Registration) error { return checkClaim(name) },
	"scope": func(scope string, r *Registration) (err error) {
		r.Scope, err = cleanScope(scope)
		return err
	},
}

// inURI adds to an error the URI that it is about.
func inURI(uri string, err error) error {
	if err != nil {
		err = fmt.Errorf("%.200q: %w", uri, err)
	}
	return err
}

// cleanScope checks a scope (RFC 6749 §3.3) and returns it with each token once and one space between two.
func cleanScope(scope string) (string, error) {
	const longest = 4096
	if len(scope) > longest {
		return "", fmt.Errorf("it is longer than %d bytes", longest)
	}
	tokens, err := cleanList(strings.Split(scope, " "))
	if i := slices.IndexFunc(tokens, func(token string) bool { return !validScope(token) }); i >= 0 {
		err = fmt.Errorf("%.200q is not a scope", tokens[i])
	}
	return strings.Join(tokens, " "), err
}

// CheckText checks a text that is shown to people: characters that change how the text around them looks are refused.
func CheckText(s string) error {
	const longest = 255
	if len(s) > longest {
		return fmt.Errorf("it is longer than %d bytes", longest)
	}
	if !utf8.ValidString(s) {
		return errors.New("it is not UTF-8")
	}
	for _, c := range s {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029' {
			return fmt.Errorf("the character %U is not allowed", c)
		}
	}
	return nil
}

// validScope reports whether token is a scope-token of RFC 6749 §3.3.
func validScope(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' })
}
