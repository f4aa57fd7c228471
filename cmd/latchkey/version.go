package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker: -X main.version=… -X main.commit=….
var (
	version string
	commit  string
)

type versionCmd struct {
	JSON bool `help:"Print JSON."`
}

// build identifies the source of this binary.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// thisBuild returns what the linker set, else what the go command recorded, else "unknown".
func thisBuild() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if ok && b.Version == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if ok && b.Commit == "" {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				b.Commit = setting.Value
			}
		}
	}
	b.Version, b.Commit = cmp.Or(b.Version, "unknown"), cmp.Or(b.Commit, "unknown")
	return b
}

// release returns the version, or the commit of a build that has none.
func (b build) release() string {
	if b.Version == "unknown" {
		return b.Commit
	}
	return b.Version
}

func (c *versionCmd) Run(_ context.Context, a *app) error {
	b := thisBuild()
	if c.JSON {
		return a.printJSON(b)
	}
	_, err := fmt.Fprintf(a.stdout, "latchkey %s\ncommit %s\n%s\n", b.Version, b.Commit, b.Go)
	return err
}
