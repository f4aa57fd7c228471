package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

type djangoCmd struct {
	Settings djangoSettingsCmd `cmd:"" help:"Translate SIMPLE_JWT into a configuration file."`
}

type djangoSettingsCmd struct {
	File string `arg:"" help:"SIMPLE_JWT as JSON; - for standard input."`
	JSON bool   `help:"Print everything as JSON."`
}

func (c *djangoSettingsCmd) Help() string {
	return "The configuration goes to standard output, what became of each key to standard error. Durations are seconds, P7D, " +
		"PT15M, or Python's 7 days, 0:00:00. The exit status is 1 when the configuration can't be used as it is. Keys that sign are never printed."
}

func (c *djangoSettingsCmd) Run(a *app) error {
	dictionary, err := a.readDictionary(c.File)
	if err != nil {
		return err
	}
	t := translate(dictionary)
	if c.JSON {
		err = a.printJSON(t.described())
	} else if err = t.report(a.stderr); err == nil {
		_, err = io.WriteString(a.stdout, t.file())
	}
	if err == nil && len(t.blocking()) > 0 {
		return errSilent
	}
	return err
}

// maxDictionary is far beyond any SIMPLE_JWT.
const maxDictionary = 1 << 20

// readDictionary reads SIMPLE_JWT. No message quotes the text: it may hold the signing key.
func (a *app) readDictionary(path string) (map[string]any, error) {
	const mend = "Write SIMPLE_JWT as one JSON object, such as {\"ACCESS_TOKEN_LIFETIME\": 900}."
	from, name := a.stdin, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, usage("the file can't be read: " + err.Error() + ". Name one that exists, or - for standard input.")
		}
		defer f.Close()
		from, name = f, path
	}
	text, err := io.ReadAll(io.LimitReader(from, maxDictionary+1))
	switch {
	case err != nil:
		return nil, usage(name + " can't be read: " + err.Error() + ".")
	case len(text) > maxDictionary:
		return nil, usage(name + " is larger than 1 MiB. " + mend)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
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
		return nil, usage(fmt.Sprintf("%s is not JSON, at line %d. %s", name, line, mend))
	}
	dictionary, ok := value.(map[string]any)
	if inner, wrapped := dictionary["SIMPLE_JWT"].(map[string]any); wrapped && len(dictionary) == 1 {
		return inner, nil
	}
	if !ok {
		return nil, usage(name + " holds no JSON object. " + mend)
	}
	return dictionary, nil
}

// djangoVerdict is what became of a key.
type djangoVerdict string

const (
	takenOver     djangoVerdict = "taken_over"
	noEffect      djangoVerdict = "no_effect"
	needsDecision djangoVerdict = "needs_decision"
)

func (v djangoVerdict) words() string {
	switch v {
	case takenOver:
		return "taken over"
	case noEffect:
		return "no effect here"
	}
	return "needs a decision"
}

// djangoFinding is what is told of one key. It never holds the value of a key that is secret or unknown.
type djangoFinding struct {
	Key     string        `json:"key"`
	Verdict djangoVerdict `json:"verdict"`
	Finding string        `json:"finding"`
	// Mend says what to do; empty when there is nothing to do.
	Mend string `json:"mend,omitempty"`
	// Blocks tells that the configuration can't be used before this is decided.
	Blocks bool `json:"blocks"`
}

// djangoOption is one line of the configuration file.
type djangoOption struct {
	name, text string
	// foreign text came from the dictionary and is quoted.
	foreign bool
	comment string
}

// value is the option's value as YAML. Go's escapes in ASCII are all YAML's too.
func (o djangoOption) value() string {
	if o.foreign {
		return fmt.Sprintf("%+q", o.text)
	}
	return o.text
}

// translation is a SIMPLE_JWT on its way into a configuration.
type translation struct {
	// given are the keys of the dictionary; values has every known key, those not given or not fit with the default.
	given, unfit map[string]bool
	values       map[string]any
	findings     []djangoFinding
	options      []djangoOption
}

// blocking are the keys that keep the configuration from being used.
func (t *translation) blocking() (keys []string) {
	for _, f := range t.findings {
		if f.Blocks {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// file is the configuration as YAML.
func (t *translation) file() string {
	var b strings.Builder
	b.WriteString("# For --config, made from SIMPLE_JWT by `latchkey django settings`.\n")
	if keys := t.blocking(); len(keys) > 0 {
		fmt.Fprintf(&b, "# It can't be used as it is: decide on %s first.\n", strings.Join(keys, ", "))
	}
	for _, o := range t.options {
		b.WriteString("\n")
		for line := range strings.Lines(o.comment) {
			b.WriteString("# " + strings.TrimSuffix(line, "\n") + "\n")
		}
		if o.name != "" {
			b.WriteString(o.name + ": " + o.value() + "\n")
		}
	}
	return b.String()
}

// described is everything, for --json.
func (t *translation) described() any {
	config := map[string]string{}
	for _, o := range t.options {
		if o.name != "" {
			config[o.name] = o.text
		}
	}
	return struct {
		Usable   bool              `json:"usable"`
		Config   map[string]string `json:"config"`
		File     string            `json:"config_file"`
		Findings []djangoFinding   `json:"findings"`
		Also     []string          `json:"also"`
	}{len(t.blocking()) == 0, config, t.file(), t.findings, djangoAlso()}
}

// report tells what became of each key, as a table.
func (t *translation) report(w io.Writer) error {
	rows := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	rows.row("KEY", "VERDICT", "WHY")
	for _, f := range t.findings {
		why := f.Finding + "."
		if f.Mend != "" {
			why += " → " + f.Mend
		}
		rows.row(f.Key, f.Verdict.words(), why)
	}
	if err := rows.flush(); err != nil {
		return err
	}
	for _, line := range djangoAlso() {
		fmt.Fprintf(w, "\n%s\n", line)
	}
	if keys := t.blocking(); len(keys) > 0 {
		fmt.Fprintf(w, "\nlatchkey: the configuration can't be used as it is: decide on %s first.\n", strings.Join(keys, ", "))
	}
	return nil
}

// djangoAlso is what SIMPLE_JWT does not say.
func djangoAlso() []string {
	return []string{
		"SIMPLE_JWT does not tell the release of simplejwt (`pip show djangorestframework-simplejwt`). From 5.5 on add simplejwt-compat: 5.5; " +
			"5.5.0 itself wrote user ids as numbers: add simplejwt-user-id-type: integer as well.",
		"issuer, database-url and secret are this server's own: add them before `latchkey serve --config FILE`.",
	}
}
