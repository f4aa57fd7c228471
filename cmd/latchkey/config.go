package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fault is one thing that is wrong with how the program was called or configured. It never shows a secret.
type fault struct {
	// where names the flag and the variable, or the thing that is at fault.
	where   string
	problem string
	mend    string
}

func (f fault) String() string { return f.where + " " + f.problem + ". " + f.mend }

// faults is every fault there is, at once; the program exits with 2.
type faults []fault

func (fs faults) Error() string {
	if len(fs) == 1 {
		return fs[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults:", len(fs))
	for _, f := range fs {
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// source says where a value came from, for messages.
type source string

const (
	fromFlag        source = "flag"
	fromEnvironment source = "environment"
	fromFile        source = "configuration file"
	fromSecretFile  source = "file of its own"
)

// given is what one source says of an option: its values (several for a list).
type given map[string][]string

// reader resolves the configuration: flag over environment over file over default.
type reader struct {
	flags       given
	environment given
	file        given
	faults      faults
}

// readSettings resolves the options that a command takes. The names in the environment and in the file are checked
// against every option there is, since all commands share both.
func readSettings(wanted []*option, flags given, environ []string) (*settings, faults) {
	r := &reader{flags: flags, environment: given{}, file: given{}}
	r.readEnvironment(environ)
	r.readFile()
	s := &settings{given: map[string]source{}}
	for _, o := range wanted {
		r.apply(s, o)
	}
	return s, append(r.faults, s.agree(wanted)...)
}

// agree checks what no option can check alone, and fills in what follows from others.
func (s *settings) agree(wanted []*option) (found faults) {
	takes := func(name string) bool {
		return slices.ContainsFunc(wanted, func(o *option) bool { return o.name == name })
	}
	if takes("secret") && s.database.postgres() && s.given["secret"] == "" {
		found = append(found, fault{
			"--secret (LATCHKEY_SECRET)", "is needed with Postgres",
			"Make one with `openssl rand -base64 32`, keep it, and give every server and command the same, best as LATCHKEY_SECRET_FILE.",
		})
	}
	jwt := &s.server.SimpleJWT
	if takes("simplejwt") && jwt.SigningKey != "" && jwt.Algorithm != "" && !strings.HasPrefix(jwt.Algorithm, "HS") {
		found = append(found, fault{
			"--simplejwt-signing-key (LATCHKEY_SIMPLEJWT_SIGNING_KEY)",
			"has no use with --simplejwt-algorithm " + jwt.Algorithm + ", which signs with keys of Latchkey's own",
			"Leave it out, or use HS256.",
		})
	}
	if slices.Contains(jwt.Claims, jwt.UserIDClaim) {
		found = append(found, fault{
			"--simplejwt-claims (LATCHKEY_SIMPLEJWT_CLAIMS)",
			"names " + jwt.UserIDClaim + ", which is the claim of --simplejwt-user-id-claim already",
			"Name it in one of the two.",
		})
	}
	if s.given["browser-session-idle-ttl"] != "" && s.server.BrowserSessionIdleTTL > s.server.BrowserSessionTTL {
		found = append(found, fault{
			"--browser-session-idle-ttl (LATCHKEY_BROWSER_SESSION_IDLE_TTL)",
			"is longer than --browser-session-ttl, so that it would never count",
			"Make it shorter, or raise --browser-session-ttl (LATCHKEY_BROWSER_SESSION_TTL).",
		})
	}
	jwt.UserIDInteger = s.userIDType == "integer" || (s.userIDType == "" && jwt.Compat == "5.2")
	return found
}

func (r *reader) fault(where, problem, mend string) {
	r.faults = append(r.faults, fault{where, problem, mend})
}

// readEnvironment takes the variables of this program. LATCHKEY_TEST_* are for the project's own tests.
func (r *reader) readEnvironment(environ []string) {
	names := knownNames()
	for _, entry := range environ {
		variable, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, "LATCHKEY_") || strings.HasPrefix(variable, "LATCHKEY_TEST_") {
			continue
		}
		i := slices.IndexFunc(names, func(name string) bool { return variableOf(name) == variable })
		if i < 0 {
			variables := make([]string, len(names))
			for i, name := range names {
				variables[i] = variableOf(name)
			}
			r.fault(variable, "is not a variable of this program", "Unset it"+didYouMean(variable, variables)+".")
			continue
		}
		r.environment[names[i]] = []string{text}
	}
}

// readFile reads the file that --config or LATCHKEY_CONFIG names.
func (r *reader) readFile() {
	const where = "--config (LATCHKEY_CONFIG)"
	named, ok := r.flags["config"]
	if !ok {
		if named, ok = r.environment["config"]; !ok {
			return
		}
	}
	path := named[len(named)-1]
	f, err := os.Open(path)
	if err != nil {
		r.fault(where, "names a file that can't be read: "+err.Error(), "Name a YAML file that exists and that this user may read.")
		return
	}
	defer f.Close()
	var document yaml.Node
	err = yaml.NewDecoder(f).Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		return // empty
	case err != nil:
		// The parser's own words may quote the text, and with it a secret.
		r.fault(path, "is not YAML"+lineOf(err), "Write one `name: value` a line.")
		return
	case document.Content[0].Kind != yaml.MappingNode:
		r.fault(path, "is no list of names and values", "Write one `name: value` a line.")
		return
	}
	pairs := document.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		r.readPair(path, pairs[i], pairs[i+1])
	}
}

func (r *reader) readPair(path string, key, value *yaml.Node) {
	where := fmt.Sprintf("%s, line %d, %s", path, key.Line, key.Value)
	names := slices.DeleteFunc(knownNames(), func(name string) bool { return name == "config" })
	if !slices.Contains(names, key.Value) {
		r.fault(where, "is not a setting", "Remove it"+didYouMean(key.Value, names)+".")
		return
	}
	if _, twice := r.file[key.Value]; twice {
		r.fault(where, "stands there twice", "Keep one of them.")
		return
	}
	scalar := func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" }
	switch {
	case scalar(value):
		// The text as written: 5.2 and off are no number and no truth value here.
		r.file[key.Value] = []string{value.Value}
	case value.Kind == yaml.SequenceNode && !slices.ContainsFunc(value.Content, func(n *yaml.Node) bool { return !scalar(n) }):
		r.file[key.Value] = []string{}
		for _, n := range value.Content {
			r.file[key.Value] = append(r.file[key.Value], n.Value)
		}
	case value.Kind == yaml.ScalarNode:
		r.fault(where, "has no value", `Give it one, remove the line, or write "" for an empty one.`)
	default:
		r.fault(where, "is neither text nor a list of texts", "Write `name: value`, or `name: [one, two]` where several are allowed.")
	}
}

var yamlLine = regexp.MustCompile(`line \d+`)

func lineOf(err error) string {
	if found := yamlLine.FindString(err.Error()); found != "" {
		return " (" + found + ")"
	}
	return ""
}

// apply resolves one option into s.
func (r *reader) apply(s *settings, o *option) {
	text, from, err := r.resolve(o)
	where := fmt.Sprintf("--%s (%s)", o.name, o.variable())
	if from == "" {
		if o.preset == "" {
			return
		}
		text = o.preset
	} else {
		s.given[o.name] = from
	}
	if from == fromFile {
		where += " in the configuration file"
	}
	if err == nil && text == "" && !o.emptyable {
		err = &unfit{"is empty", "Give it a value, or leave it out for the default."}
	}
	if err == nil {
		err = o.set(s, text)
	}
	if err == nil {
		return
	}
	if text != "" && !o.secret && !o.list {
		where += fmt.Sprintf(": %q", text)
	}
	var u *unfit
	if !errors.As(err, &u) {
		u = &unfit{"can't be used", "See `latchkey serve --help`."}
	}
	r.fault(where, u.problem, u.mend)
}

// resolve finds the option's text in the first source that has it, in either form; from is empty when none has.
func (r *reader) resolve(o *option) (text string, from source, err error) {
	for _, level := range []struct {
		from   source
		values given
	}{{fromFlag, r.flags}, {fromEnvironment, r.environment}, {fromFile, r.file}} {
		values, plain := level.values[o.name]
		paths, filed := level.values[o.name+"-file"]
		filed = filed && o.secret
		switch {
		case plain && filed:
			return "", level.from, &unfit{
				fmt.Sprintf("and --%s-file (%s_FILE) are both given", o.name, o.variable()), "Keep one of them.",
			}
		case plain:
			return joined(o, values), level.from, nil
		case filed:
			text, err := secretFile(last(paths))
			return text, fromSecretFile, err
		}
	}
	return "", "", nil
}

// joined makes one text of an option's values: the last one counts, or for a list all of them, one a line.
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
		return "", &unfit{
			"can't be read from its file: " + err.Error(), "Name a file that exists and that this user may read.",
		}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}

// knownNames are the names of all options, in every form.
func knownNames() []string {
	names := []string{"config"}
	for _, o := range options() {
		names = append(names, o.name)
		if o.secret {
			names = append(names, o.name+"-file")
		}
	}
	return names
}

// didYouMean offers the nearest of the names when it is near.
func didYouMean(name string, names []string) string {
	best, distance := "", 4
	for _, n := range names {
		if d := editDistance(name, n); d < distance {
			best, distance = n, d
		}
	}
	if best == "" {
		return ""
	}
	return ", or write " + best + " if that is meant"
}

// editDistance counts the insertions, deletions and replacements between two texts (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
