package config

import (
	"cmp"
	"errors"
	"fmt"
)

// option is one row of the configuration: its flag, its variable, its key in the file, its help, its line in
// docs/configuration.md and its checks all come from here, so that they can't drift apart.
type option struct {
	// name is the flag without its dashes and the key in the configuration file.
	name string
	// preset is the default as text. presetText describes the default of an option that has no preset.
	preset     string
	presetText string
	value      string // the value's placeholder in the help
	group      Group
	help       string
	list       bool // takes several values: the flag repeated, commas, a YAML list
	pairs      bool // a list of NAME=VALUE, in a file a mapping
	secret     bool // has a _FILE form, and its value is never shown
	emptyable  bool // an empty value is valid
	set        func(text string) error
}

// Group names a set of options that commands take together.
type Group = string

// The groups of options.
const (
	GroupDatabase   Group = "database"
	GroupRootSecret Group = "root secret"
	GroupLog        Group = "log"
	GroupHashing    Group = "passwords"
	GroupLogins     Group = "logins"
	GroupLifetimes  Group = "lifetimes"
	GroupServer     Group = "server"
	GroupClients    Group = "clients"
	GroupIssuer     Group = "issuer"
	GroupSimpleJWT  Group = "simplejwt"
	GroupRemote     Group = "remote"
	GroupOutbound   Group = "outbound"
)

// variable returns the option's name in the environment.
func (o *option) variable() string { return variableOf(o.name) }

// usage returns the help with the default and the variable.
func (o *option) usage() string {
	if preset := o.presetShown(); preset != "" {
		return fmt.Sprintf("%s (default %s) [%s]", o.help, preset, o.variable())
	}
	return fmt.Sprintf("%s [%s]", o.help, o.variable())
}

func (o *option) presetShown() string { return cmp.Or(o.presetText, o.preset) }

// fault returns the fault of the option that an error of its set or of its file means.
func (o *option) fault(subject string, err error) *Fault {
	i, ok := errors.AsType[*invalid](err)
	if !ok {
		i = &invalid{"is not valid", "See `latchkey serve --help`."}
	}
	return &Fault{subject, i.problem, i.remedy}
}
