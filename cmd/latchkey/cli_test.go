package main

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// Where the arguments name a command, kong's model has no other, and that one as it is among all of them.
func TestTheModelHasTheNamedCommandOnly(t *testing.T) {
	t.Parallel()
	all, err := kong.New(newCLI(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range all.Model.Leaves(false) {
		words := strings.Fields(want.Path())
		parser, err := kong.New(newCLI(append(words, "--help")))
		if err != nil {
			t.Fatal(err)
		}
		got := parser.Model.Leaves(false)
		if len(got) != 1 {
			t.Errorf("%v: %d commands", words, len(got))
			continue
		}
		if diff := cmp.Diff(described(want), described(got[0])); diff != "" {
			t.Errorf("%v: %s", words, diff)
		}
	}
	for _, c := range []struct {
		args   string
		leaves int
	}{
		{"", len(all.Model.Leaves(false))},
		{"--help user", len(all.Model.Leaves(false))},
		{"usr add", len(all.Model.Leaves(false))},
		{"key --help", 3},
		{"key rotat", 3},
	} {
		parser, err := kong.New(newCLI(strings.Fields(c.args)))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(parser.Model.Leaves(false)); got != c.leaves {
			t.Errorf("%q: %d commands, want %d", c.args, got, c.leaves)
		}
	}
}

// described returns what help says of a command: its path, its summary and its flags.
func described(n *kong.Node) []string {
	lines := []string{n.Path(), n.Summary(), n.Help, n.Detail}
	for _, group := range n.AllFlags(false) {
		for _, f := range group {
			lines = append(lines, f.String()+" "+f.Help)
		}
	}
	return lines
}

// What kong knows of the commands is half of what a server would have in use, and each garbage collection would go through it.
func TestARunningCommandKeepsNoModelOfAllCommands(t *testing.T) {
	t.Parallel()
	collected := make(chan struct{})
	parser, err := kong.New(newCLI([]string{"serve"}))
	if err != nil {
		t.Fatal(err)
	}
	runtime.AddCleanup(parser.Model, func(done chan struct{}) { close(done) }, collected)
	selected, problems := parse(parser, []string{"serve"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	command := commandOf(selected)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		runtime.GC()
		select {
		case <-collected:
			runtime.KeepAlive(command)
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the model was not collected")
	runtime.KeepAlive(command)
}
