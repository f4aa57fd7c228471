package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/cmd/latchkey/internal/config"
)

// clientFlags are the flags of the fields that a client is registered with: those of clients.Fields. The tag fields says whether all of them
// or only the policies.
type clientFlags struct {
	Fields kong.Plugins `embed:""`
}

// clientFieldFlags returns the flags of all fields, or only of the policies. Each is a pointer or a slice, nil if it was not given.
func clientFieldFlags(policiesOnly bool) kong.Plugins {
	var flags []reflect.StructField
	for _, f := range clients.Fields {
		if !f.Policy && policiesOnly {
			continue
		}
		group, help, more, typ := "Metadata:", f.Help, "", reflect.TypeFor[*string]()
		if f.Policy {
			group = "Policy:"
		}
		if len(f.Values) > 0 {
			help += " One of " + strings.Join(f.Values, ", ") + "."
		}
		switch {
		case f.Type == clients.Boolean:
			typ, more = reflect.TypeFor[*bool](), ` negatable:""`
		case f.Type == clients.List:
			help += " Repeatable."
			typ, more = reflect.TypeFor[[]string](), fmt.Sprintf(` aliases:%q`, strings.ReplaceAll(f.Name, "_", "-"))
		case f.Name == "scope": // may be given several times
			typ = reflect.TypeFor[[]string]()
		}
		if len(f.Values) == 0 { // a comma may be part of other values
			more += ` sep:"none"`
		}
		flags = append(flags, reflect.StructField{
			Name: fieldName(f), Type: typ,
			Tag: reflect.StructTag(fmt.Sprintf(`name:%q help:%q placeholder:%q group:%q`, f.Flag(), help, f.Placeholder, group) + more),
		})
	}
	return kong.Plugins{reflect.New(reflect.StructOf(flags)).Interface()}
}

// apply sets the fields that were given. Every fault is reported at once.
func (c *clientFlags) apply(reg *clients.Registration) (found config.Faults) {
	flags := reflect.ValueOf(c.Fields[0]).Elem()
	for _, f := range clients.Fields {
		given := givenTo(flags.FieldByName(fieldName(f)))
		if given == nil {
			continue
		}
		if err := f.Set(reg, given...); err != nil {
			found = append(found, config.Fault{Subject: fmt.Sprintf("--%s: %q", f.Flag(), given[0]), Problem: "is not " + string(f.Type), Remedy: "Nothing was changed."})
		}
	}
	return found
}

// fieldName returns the name of a field in the struct of the flags.
func fieldName(f clients.Field) string { return "Field" + strings.ReplaceAll(f.Flag(), "-", "_") }

// givenTo returns the values that were given to a flag; nil if there are none, or no such flag.
func givenTo(flag reflect.Value) []string {
	if !flag.IsValid() || flag.IsNil() {
		return nil
	}
	switch v := flag.Interface().(type) {
	case *bool:
		return []string{strconv.FormatBool(*v)}
	case *string:
		return []string{*v}
	}
	return flag.Interface().([]string)
}

// flagOf returns the flag of a field that an error of the registry names.
func flagOf(field string) string {
	if i := slices.IndexFunc(clients.Fields, func(f clients.Field) bool { return f.Name == field }); i >= 0 {
		return "--" + clients.Fields[i].Flag()
	}
	return "--" + strings.ReplaceAll(field, "_", "-")
}
