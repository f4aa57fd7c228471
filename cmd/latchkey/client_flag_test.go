package main

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"latchkey/clients"
)

// Each field of a client is a flag of `client add` and `client update`, and each policy one of `registration-token add`.
func TestClientFlags(t *testing.T) {
	t.Parallel()
	c := newCLI(nil).(*cli)
	parser, err := kong.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []struct {
		words        []string
		flags        *clientFlags
		policiesOnly bool
	}{
		{words: []string{"client", "add"}, flags: &c.Client.Add.clientFlags},
		{words: []string{"client", "update", "app"}, flags: &c.Client.Update.clientFlags},
		{words: []string{"registration-token", "add"}, flags: &c.RegistrationToken.Add.clientFlags, policiesOnly: true},
	} {
		for _, f := range clients.Fields {
			flag, want := exampleFlag(t, f)
			_, err := parser.Parse(append(slices.Clone(command.words), flag)) // which resets what was parsed before
			if command.policiesOnly && !f.Policy {
				if err == nil {
					t.Errorf("%v takes %s", command.words, flag)
				}
				continue
			}
			if err != nil {
				t.Errorf("%v %s: %v", command.words, flag, err)
				continue
			}
			var got clients.Registration
			if found := command.flags.apply(&got); found != nil {
				t.Error(found)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v %s: %s", command.words, flag, diff)
			}
		}
	}
}

// exampleFlag returns the flag of a field with a value, and the registration that it makes.
func exampleFlag(t *testing.T, f clients.Field) (flag string, want clients.Registration) {
	t.Helper()
	value := map[clients.FieldType]string{clients.Boolean: "true", clients.Seconds: "60", clients.Interval: "1m", clients.Object: "{}"}[f.Type]
	if value == "" {
		value = "text"
	}
	if err := f.Set(&want, value); err != nil {
		t.Fatal(err)
	}
	flag = "--" + f.Flag()
	if flagOf(f.Name) != flag {
		t.Errorf("the flag of %s is %s, want %s", f.Name, flagOf(f.Name), flag)
	}
	if f.Type != clients.Boolean {
		flag += "=" + value
	}
	return flag, want
}
