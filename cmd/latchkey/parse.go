package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/cmd/latchkey/internal/config"
)

// parse returns the command that was called, or nil and what is wrong with the call. kong stops at the first unknown flag;
// parse continues without it, so that everything is reported at once.
func parse(parser *kong.Kong, args []string) (*kong.Context, config.Faults) {
	var found config.Faults
	removed := -1 // where an unknown flag was: what follows it may be its value
	for {
		selected, err := parser.Parse(args)
		if err == nil {
			return selected, found
		}
		m := misreadBy(parser, args, err)
		switch {
		case m.flag:
			found = append(found, config.Fault{Subject: m.name, Problem: "is not a flag of this command", Remedy: "See --help" + m.suggestion})
			args, removed = slices.Delete(slices.Clone(args), m.at, m.at+1), m.at
		case m.at >= 0 && m.at == removed:
			args, removed = slices.Delete(slices.Clone(args), m.at, m.at+1), -1
		case len(found) > 0:
			return nil, found
		default:
			return nil, config.Faults{{Subject: "the command line", Problem: "is not valid: " + m.problem, Remedy: "See --help" + m.suggestion}}
		}
	}
}

// misread is an argument that kong could not read.
type misread struct {
	at         int    // its index; -1 if the call as a whole is wrong
	flag       bool   // it is an unknown flag
	name       string // of that flag
	problem    string
	suggestion string
}

// misreadBy looks up in kong's model what the arguments left over by an error should have been.
func misreadBy(parser *kong.Kong, args []string, err error) misread {
	m := misread{at: -1, suggestion: ".", problem: strings.TrimSuffix(err.Error(), "?")}
	var failed *kong.ParseError
	if !errors.As(err, &failed) || failed.Context == nil {
		return m
	}
	path := failed.Context.Path
	rest := path[len(path)-1].Remainder()
	if len(rest) == 0 {
		return m
	}
	node := parser.Model.Node
	if selected := failed.Context.Selected(); selected != nil {
		node = selected
	}
	at := len(args) - len(rest)
	name, _, _ := strings.Cut(rest[0], "=")
	if strings.HasPrefix(name, "-") && !slices.Contains(args[:at], "--") {
		flags := flagNames(node)
		if slices.Contains(flags, name) {
			return m
		}
		m := misread{at: at, flag: true, name: name, suggestion: didYouMean(name, flags)}
		switch {
		case node == parser.Model.Node:
			m.suggestion = "; flags come after the command and its words."
		case m.suggestion == "." && len(node.Positional) > 0:
			m.suggestion = "; an argument that begins with - comes after --."
		}
		return m
	}
	read := 0
	for _, step := range path {
		if step.Positional != nil {
			read++
		}
	}
	switch {
	case len(node.Children) > 0:
		var commands []string
		for _, child := range node.Children {
			commands = append(commands, child.Name)
		}
		return misread{at: at, problem: fmt.Sprintf("%q is not a command", rest[0]), suggestion: didYouMean(rest[0], commands)}
	case read == len(node.Positional):
		return misread{at: at, problem: "too many arguments", suggestion: "."} // without their text: it may be a password
	}
	return m
}

// flagNames returns the flags that a command takes, in every form.
func flagNames(node *kong.Node) (names []string) {
	for _, f := range slices.Concat(node.AllFlags(false)...) {
		names = append(names, "--"+f.Name)
		for _, alias := range f.Aliases {
			names = append(names, "--"+alias)
		}
		if f.Tag.Negatable != "" {
			names = append(names, "--no-"+f.Name)
		}
		if f.Short != 0 {
			names = append(names, "-"+string(f.Short))
		}
	}
	return names
}

func didYouMean(name string, names []string) string {
	if best := config.Nearest(name, names, 4); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "."
}
