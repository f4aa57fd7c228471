package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// readPairs reads a mapping, each member as the text that the flag and the variable have: NAME=VALUE, NAME=VALUE VALUE for a list, and
// NAME=VALUE in VALUE VALUE for {from: VALUE, in: [VALUE, VALUE]}.
func (r *reader) readPairs(subject, name string, mapping *yaml.Node) {
	list := []string{}
	seen := map[string]bool{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		text, ok := pairText(value)
		switch {
		case seen[key.Value]:
			r.fault(subject+"."+key.Value, "is set twice", "Keep one of them.")
		case !ok:
			r.fault(subject+"."+key.Value, "is neither a text nor a list of texts", "Write `NAME: VALUE`, or see docs/configuration.md for the longer forms.")
		case strings.ContainsAny(key.Value+text, ",\n="):
			r.fault(subject+"."+key.Value, "has a comma, an equals sign or a line break", "Leave it out: these separate the values of flags and variables.")
		default:
			list = append(list, key.Value+"="+text)
		}
		seen[key.Value] = true
	}
	r.file[name] = list
}

func pairText(value *yaml.Node) (text string, ok bool) {
	if value.Kind != yaml.MappingNode {
		return words(value)
	}
	var from, in string
	for i := 0; i+1 < len(value.Content); i += 2 {
		text, ok := words(value.Content[i+1])
		switch name := value.Content[i].Value; {
		case !ok:
			return "", false
		case name == "from":
			from = text
		case name == "in":
			in = " in " + text
		default:
			return "", false
		}
	}
	return from + in, from != ""
}

// words returns a text, or the texts of a list with spaces between.
func words(value *yaml.Node) (text string, ok bool) {
	list, ok := texts(value)
	return strings.Join(list, " "), ok
}
