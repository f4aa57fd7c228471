package main

import (
	"runtime"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// What kong knows of the commands is half of what a server would have in use, and each garbage collection would go through it.
func TestARunningCommandKeepsNoModelOfAllCommands(t *testing.T) {
	t.Parallel()
	collected := make(chan struct{})
	parser, err := kong.New(newCLI())
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
