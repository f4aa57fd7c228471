package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// FlagTag marks the flags of options among the tags of kong.
const FlagTag = "option"

// Flags returns a pointer to a struct with the flags of the groups' options, to be embedded in a command. Each flag is a
// pointer or a slice, nil if it was not given. kong checks none of them, because it stops at the first fault.
func Flags(groups ...Group) any {
	var fields []reflect.StructField
	add := func(o *option) {
		typ, separator := reflect.TypeFor[*string](), ""
		if o.list {
			typ, separator = reflect.TypeFor[[]string](), ` sep:"none"`
		}
		fields = append(fields, reflect.StructField{
			Name: "Option" + strings.ReplaceAll(o.name, "-", "_"),
			Type: typ,
			Tag: reflect.StructTag(fmt.Sprintf(`name:%q help:%q placeholder:%q group:"Configuration:" %s:"true"`,
				o.name, o.usage(), o.value, FlagTag) + separator),
		})
	}
	for _, o := range options(&Settings{}) {
		if !slices.Contains(groups, o.group) {
			continue
		}
		add(o)
		if o.secret {
			add(&option{name: o.name + "-file", value: "FILE", help: "File that holds --" + o.name + "."})
		}
	}
	add(&option{name: "config", value: "FILE", help: "Configuration file (YAML); its keys are the flags without dashes."})
	return reflect.New(reflect.StructOf(fields)).Interface()
}

// Default returns the default of an option as text.
func Default(name string) string { return optionNamed(&Settings{}, name).preset }

// Preset sets an option to another default than its own, unless a value was given.
func (s *Settings) Preset(name, text string) {
	if s.Given(name) {
		return
	}
	if err := optionNamed(s, name).set(text); err != nil {
		panic(err) // the default is wrong
	}
}

// Check returns what is wrong with the value of an option; nil if nothing is.
func Check(name, text string) *Fault {
	o := optionNamed(&Settings{}, name)
	if err := o.set(text); err != nil {
		return o.fault(label(o.name), err)
	}
	return nil
}

func optionNamed(s *Settings, name string) *option {
	all := options(s)
	return all[slices.IndexFunc(all, func(o *option) bool { return o.name == name })]
}

// knownNames are the names of all options, in every form.
func knownNames() []string {
	names := []string{"config"}
	for _, o := range options(&Settings{}) {
		names = append(names, o.name)
		if o.secret {
			names = append(names, o.name+"-file")
		}
	}
	return names
}
