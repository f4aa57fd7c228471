package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// values are what one source has for options: several for a list.
type values map[string][]string

// reader resolves the configuration: flag over environment over file over default.
type reader struct {
	flags       values
	environment values
	file        values
	ignored     []string
	faults      Faults
	// path is that of the configuration file.
	path string
}

// Read resolves the named options, which are those that a command takes. flags are the values that were given as flags.
// The names in the environment and in the file are checked against all options, because all commands share both.
func Read(names []string, flags map[string][]string, environ []string) (*Settings, Faults) {
	r := &reader{flags: flags, environment: values{}, file: values{}}
	r.readEnvironment(environ)
	r.readFile()
	s := &Settings{sources: map[string]Source{}, secretFiles: map[string]string{}, Ignored: r.ignored}
	for _, o := range options(s) {
		if slices.Contains(names, o.name) {
			r.apply(s, o)
		}
	}
	s.Elsewhere = !slices.Contains(names, "server") && cmp.Or(last(r.environment["server"]), last(r.file["server"])) != ""
	s.file = r.path
	return s, append(r.faults, s.validate(names)...)
}

func (r *reader) fault(subject, problem, remedy string) {
	r.faults = append(r.faults, Fault{subject, problem, remedy})
}

// readEnvironment reads the variables of this program. LATCHKEY_TEST_* are for the project's own tests.
func (r *reader) readEnvironment(environ []string) {
	known, variables := map[string]string{}, []string{}
	for _, name := range knownNames() {
		known[variableOf(name)] = name
		variables = append(variables, variableOf(name))
	}
	for _, entry := range environ {
		variable, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, "LATCHKEY_") || strings.HasPrefix(variable, "LATCHKEY_TEST_") {
			continue
		}
		switch name, ok := known[variable]; {
		case ok:
			r.environment[name] = []string{text}
		case serviceLink.MatchString(entry):
			r.ignored = append(r.ignored, variable)
		default:
			r.fault(variable, "is not a variable of this program", "Unset it"+orNearest(variable, variables))
		}
	}
}

// serviceLink matches the variables that Kubernetes sets in every pod for each service of the namespace, here for services
// whose names begin with latchkey. LATCHKEY_PORT=8000 is not one of them: the value of a service's is a URL.
var serviceLink = regexp.MustCompile(`^LATCHKEY(_[A-Z0-9_]+)?_` +
	`(SERVICE_HOST=.+|SERVICE_PORT(_[A-Z0-9_]+)?=[0-9]+|PORT(_[0-9]+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.+|PORT_[0-9]+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.+)$`)

// readFile reads the file that --config or LATCHKEY_CONFIG names.
func (r *reader) readFile() {
	subject := label("config")
	named, ok := r.flags["config"]
	if !ok {
		if named, ok = r.environment["config"]; !ok {
			return
		}
	}
	path := last(named)
	r.path = path
	f, err := os.Open(path)
	if err != nil {
		r.fault(subject, "names a file that can't be read: "+err.Error(), "Name a YAML file that exists and that this user may read.")
		return
	}
	defer f.Close()
	var document yaml.Node
	err = yaml.NewDecoder(f).Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		return // empty
	case err != nil:
		// The parser's message may quote the text, and with it a secret.
		r.fault(path, "is not YAML"+lineOf(err), "Write one `name: value` per line.")
		return
	case document.Content[0].Kind != yaml.MappingNode:
		r.fault(path, "is not a list of names and values", "Write one `name: value` per line.")
		return
	}
	pairs := document.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		r.readPair(path, pairs[i], pairs[i+1])
	}
}

func (r *reader) readPair(path string, key, value *yaml.Node) {
	subject := fmt.Sprintf("%s, line %d, %s", path, key.Line, key.Value)
	names := slices.DeleteFunc(knownNames(), func(name string) bool { return name == "config" })
	if !slices.Contains(names, key.Value) {
		r.fault(subject, "is not a setting", "Remove it"+orNearest(key.Value, names))
		return
	}
	if _, twice := r.file[key.Value]; twice {
		r.fault(subject, "is set twice", "Keep one of them.")
		return
	}
	switch list, ok := texts(value); {
	case ok:
		r.file[key.Value] = list
	case value.Kind == yaml.MappingNode && slices.ContainsFunc(options(&Settings{}), func(o *option) bool { return o.pairs && o.name == key.Value }):
		r.readPairs(subject, key.Value, value)
	case value.Kind == yaml.ScalarNode:
		r.fault(subject, "has no value", `Set one, remove the line, or write "" for an empty value.`)
	default:
		r.fault(subject, "is neither a text nor a list of texts", "Write `name: value`, or `name: [one, two]` where several values are allowed.")
	}
}

// texts returns a text, or those of a list, as they are written: 5.2 is not a number here, nor off a boolean.
func texts(value *yaml.Node) (list []string, ok bool) {
	nodes := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		nodes = value.Content
	}
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			return nil, false
		}
		list = append(list, n.Value)
	}
	return list, true
}

var yamlLine = regexp.MustCompile(`line \d+`)

func lineOf(err error) string {
	if found := yamlLine.FindString(err.Error()); found != "" {
		return " (" + found + ")"
	}
	return ""
}

// apply resolves one option into s.
func (r *reader) apply(s *Settings, o *option) {
	text, from, err := r.resolve(s, o)
	subject := label(o.name)
	if from == "" {
		if o.preset == "" {
			return
		}
		text = o.preset
	} else {
		s.sources[o.name] = from
	}
	if from == FromFile {
		subject += " in the configuration file " + r.path
	}
	if path := s.secretFiles[o.name]; path != "" && err == nil {
		subject += " in the file " + path
	}
	switch {
	case err != nil:
	case text == "" && !o.emptyable:
		err = &invalid{"is empty", "Set a value, or leave it out for the default."}
	case text != "" || o.list: // the value of an empty text is the zero one, which is there already
		err = o.set(text)
	}
	if err == nil {
		return
	}
	if text != "" && !o.secret && !o.list {
		subject += fmt.Sprintf(": %q", text)
	}
	r.faults = append(r.faults, *o.fault(subject, err))
}

// resolve returns the option's text from the first source that has it in either form; from is empty if none has it.
func (r *reader) resolve(s *Settings, o *option) (text string, from Source, err error) {
	for _, level := range []struct {
		from   Source
		values values
	}{{FromFlag, r.flags}, {FromEnvironment, r.environment}, {FromFile, r.file}} {
		values, plain := level.values[o.name]
		paths, filed := level.values[o.name+"-file"]
		filed = filed && o.secret
		switch {
		case plain && filed:
			return "", level.from, &invalid{
				fmt.Sprintf("and --%s-file (%s_FILE) are both set", o.name, o.variable()), "Keep one of them.",
			}
		case plain:
			return joined(o, values), level.from, nil
		case filed:
			s.secretFiles[o.name] = last(paths)
			text, err := secretFile(last(paths))
			return text, FromSecretFile, err
		}
	}
	return "", "", nil
}

// joined returns an option's values as one text: the last one, or for a list all of them, one per line.
func joined(o *option, values []string) string {
	if !o.list {
		return last(values)
	}
	var all []string
	for _, v := range values {
		for part := range strings.FieldsFuncSeq(v, func(c rune) bool { return c == ',' || c == '\n' }) {
			all = append(all, strings.TrimSpace(part))
		}
	}
	return strings.Join(all, "\n")
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// secretFile reads a secret from its file, without the newline that editors and shells leave at the end.
func secretFile(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", &invalid{
			"can't be read from its file: " + err.Error(), "Name a file that exists and that this user may read.",
		}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}
