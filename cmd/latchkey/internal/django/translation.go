package django

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDictionary is far larger than any SIMPLE_JWT.
const maxDictionary = 1 << 20

// Read reads SIMPLE_JWT as JSON; name names the source in errors. No error quotes the text, which may contain the signing key.
func Read(from io.Reader, name string) (map[string]any, error) {
	const remedy = "Write SIMPLE_JWT as one JSON object, such as {\"ACCESS_TOKEN_LIFETIME\": 900}."
	text, err := io.ReadAll(io.LimitReader(from, maxDictionary+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s can't be read: %w", name, err)
	case len(text) > maxDictionary:
		return nil, fmt.Errorf("%s is larger than 1 MiB. %s", name, remedy)
	}
	text = description(bytes.TrimPrefix(text, []byte("\ufeff")))
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err = decoder.Decode(&value); err == nil {
		if _, err = decoder.Token(); err == nil {
			err = errors.New("more than one value")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		offset := decoder.InputOffset()
		if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
			offset = syntax.Offset
		}
		line := 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
		return nil, fmt.Errorf("%s is not JSON, at line %d. %s", name, line, remedy)
	}
	dictionary, ok := value.(map[string]any)
	if inner, wrapped := dictionary["SIMPLE_JWT"].(map[string]any); wrapped && len(dictionary) == 1 {
		return inner, nil
	}
	if !ok {
		return nil, fmt.Errorf("%s is not a JSON object. %s", name, remedy)
	}
	return dictionary, nil
}

// Verdict says what happens to a key.
type Verdict string

// The verdicts.
const (
	TakenOver     Verdict = "taken_over"
	NoEffect      Verdict = "no_effect"
	NeedsDecision Verdict = "needs_decision"
)

// String returns the verdict for people.
func (v Verdict) String() string {
	switch v {
	case TakenOver:
		return "taken over"
	case NoEffect:
		return "no effect here"
	}
	return "needs a decision"
}

// Finding is the result for one key. It never contains the value of a key that is secret or unknown.
type Finding struct {
	Key     string  `json:"key"`
	Verdict Verdict `json:"verdict"`
	Finding string  `json:"finding"`
	// Remedy says what to do; empty if there is nothing to do.
	Remedy string `json:"mend,omitempty"`
	// Blocks reports that the configuration can't be used until this is decided.
	Blocks bool `json:"blocks"`
}

// line is one option of the configuration file, or a comment alone.
type line struct {
	name, text string
	quoted     bool // the text is from the dictionary
	comment    string
}

// value returns the option's value as YAML. Go's escapes in ASCII are all valid in YAML.
func (o line) value() string {
	if o.quoted {
		return fmt.Sprintf("%+q", o.text)
	}
	return o.text
}

// Translation is a SIMPLE_JWT and the configuration that it becomes.
type Translation struct {
	Findings []Finding

	// given are the keys of the dictionary; values has every known key, with its default if it was not given or not valid.
	given, unfit map[string]bool
	values       map[string]any
	options      []line
	// routedSliding says that the site has a route of the package that issues sliding tokens, knownRelease that it has said which release of
	// the package it runs.
	routedSliding, knownRelease bool
}

// Blocking returns the keys that prevent the configuration from being used.
func (t *Translation) Blocking() (keys []string) {
	for _, f := range t.Findings {
		if f.Blocks {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// File returns the configuration as YAML.
func (t *Translation) File() string {
	var b strings.Builder
	b.WriteString("# For --config, made from SIMPLE_JWT by `latchkey django settings`.\n")
	if keys := t.Blocking(); len(keys) > 0 {
		fmt.Fprintf(&b, "# It can't be used as it is: decide on %s first.\n", strings.Join(keys, ", "))
	}
	for _, o := range t.options {
		b.WriteString("\n")
		for comment := range strings.Lines(o.comment) {
			b.WriteString("# " + strings.TrimSuffix(comment, "\n") + "\n")
		}
		if o.name != "" {
			b.WriteString(o.name + ": " + o.value() + "\n")
		}
	}
	return b.String()
}

// MarshalJSON returns the configuration, the file and all findings.
func (t *Translation) MarshalJSON() ([]byte, error) {
	options := map[string]string{}
	for _, o := range t.options {
		if o.name != "" {
			options[o.name] = o.text
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Usable   bool              `json:"usable"`
		Config   map[string]string `json:"config"`
		File     string            `json:"config_file"`
		Findings []Finding         `json:"findings"`
		Also     []string          `json:"also"`
	}{len(t.Blocking()) == 0, options, t.File(), t.Findings, t.Also()})
	return b.Bytes(), err
}

// Also returns what an operator has to decide beyond what was read.
func (t *Translation) Also() []string {
	own := "issuer, database-url and secret are this server's own: add them before `latchkey serve --config FILE`."
	if t.knownRelease {
		return []string{own}
	}
	return []string{
		"SIMPLE_JWT does not contain the release of simplejwt (`pip show djangorestframework-simplejwt`). From 5.5 on add simplejwt-compat: 5.5; " +
			"5.5.0 itself wrote user ids as numbers: add simplejwt-user-id-type: integer as well.",
		own,
	}
}

// description cuts off what the site or its shell printed before the description: Django 5.2 says what it has imported.
func description(text []byte) []byte {
	return text[max(0, bytes.Index(text, []byte(`{"latchkey_inspect"`))):]
}
