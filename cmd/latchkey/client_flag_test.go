package main

import (
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"latchkey/clients"
)

// Each field of a client is a flag of `client add` and `client update`, and each policy one of `registration-token add`.
func TestClientFlags(t *testing.T) {
	t.Parallel()
	for _, f := range clients.Fields {
		value := map[clients.FieldType]string{clients.Boolean: "true", clients.Seconds: "60", clients.Interval: "1m", clients.Object: "{}"}[f.Type]
		if value == "" {
			value = "text"
		}
		var want clients.Registration
		if err := f.Set(&want, value); err != nil {
			t.Fatal(err)
		}
		flag := "--" + f.Flag()
		if flagOf(f.Name) != flag {
			t.Errorf("the flag of %s is %s, want %s", f.Name, flagOf(f.Name), flag)
		}
		if f.Type != clients.Boolean {
			flag += "=" + value
		}
		for _, command := range [][]string{{"client", "add"}, {"client", "update", "app"}, {"registration-token", "add"}} {
			c := newCLI()
			parser, err := kong.New(c)
			if err != nil {
				t.Fatal(err)
			}
			flags := map[string]*clientFlags{
				"add": &c.Client.Add.clientFlags, "update": &c.Client.Update.clientFlags,
			}[command[1]]
			if command[0] == "registration-token" {
				flags = &c.RegistrationToken.Add.clientFlags
			}
			_, err = parser.Parse(append(command, flag))
			if command[0] == "registration-token" && !f.Policy {
				if err == nil {
					t.Errorf("%v takes %s", command, flag)
				}
				continue
			}
			if err != nil {
				t.Errorf("%v %s: %v", command, flag, err)
				continue
			}
			var got clients.Registration
			if found := flags.apply(&got); found != nil {
				t.Error(found)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v %s: %s", command, flag, diff)
			}
		}
	}
}
