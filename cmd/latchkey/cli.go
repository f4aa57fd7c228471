package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/storage"
)

// The exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is every command. kong reads its names, flags and help from here.
type cli struct {
	Serve             serveCmd             `cmd:"" help:"Run the server."`
	Demo              demoCmd              `cmd:"" help:"Try it: a server with a demo user in .latchkey-demo/. Not for production."`
	Migrate           migrateCmd           `cmd:"" help:"Bring the database's schema up to date."`
	User              userCmd              `cmd:"" help:"The people who can log in."`
	Client            clientCmd            `cmd:"" help:"The applications that may ask for tokens."`
	RegistrationToken registrationTokenCmd `cmd:"" help:"The tokens with which developers register applications themselves."`
	Resource          resourceCmd          `cmd:"" help:"The protected resources that tokens can be meant for (RFC 8707)."`
	Session           sessionCmd           `cmd:"" help:"What clients hold for users, and ending it."`
	Key               keyCmd               `cmd:"" help:"The keys that sign tokens."`
	Audit             auditCmd             `cmd:"" help:"What happened: logins, changes, refusals."`
	Doctor            doctorCmd            `cmd:"" help:"Look for what is wrong with the configuration, the database and the server."`
	Django            djangoCmd            `cmd:"" help:"The move from Django."`
	Healthcheck       healthcheckCmd       `cmd:"" help:"Ask the running server whether it is ready; for containers."`
	Version           versionCmd           `cmd:"" help:"Print the version, the commit and the Go version."`
}

// newCLI gives each command the options that it takes.
func newCLI() *cli {
	c := &cli{}
	server := func() kong.Plugins { return flagsFor(allGroups[:]...) }
	c.Serve.Options, c.Demo.Options, c.Doctor.Options = server(), server(), server()

	database := func() kong.Plugins { return flagsFor(groupDatabase, groupLog) }
	c.Migrate.Up.Options, c.Migrate.Status.Options = database(), database()
	c.Resource.List.Options, c.Resource.Remove.Options = database(), database()
	c.Resource.Add.Options = flagsFor(groupDatabase, groupIssuer, groupLog)
	c.Session.Revoke.Options, c.Audit.List.Options = database(), database()
	c.Session.List.Options = flagsFor(groupDatabase, groupLifetimes, groupSimpleJWT, groupLog)
	c.User.List.Options, c.User.Show.Options, c.User.Remove.Options = database(), database(), database()
	c.User.Disable.Options, c.User.Enable.Options = database(), database()

	hashing := func() kong.Plugins { return flagsFor(groupDatabase, groupHashing, groupLog) }
	c.User.Add.Options, c.User.SetPassword.Options = hashing(), hashing()

	c.Healthcheck.Options = flagsFor(groupServer)

	c.Client.Add.clientFlags, c.Client.Update.clientFlags = clientFlagsFor(false), clientFlagsFor(false)
	c.RegistrationToken.Add.clientFlags = clientFlagsFor(true)
	root := func() kong.Plugins { return flagsFor(groupDatabase, groupRoot, groupLog) }
	c.Client.Add.Options, c.Client.List.Options, c.Client.Show.Options = root(), root(), root()
	c.Client.Update.Options, c.Client.RotateSecret.Options, c.Client.Remove.Options = root(), root(), root()
	c.Client.Disable.Options, c.Client.Enable.Options = root(), root()
	c.RegistrationToken.Add.Options, c.RegistrationToken.List.Options, c.RegistrationToken.Remove.Options = root(), root(), root()

	keys := func() kong.Plugins {
		return flagsFor(groupDatabase, groupRoot, groupLifetimes, groupSimpleJWT, groupLog)
	}
	c.Key.List.Options, c.Key.Rotate.Options, c.Key.Retire.Options = keys(), keys(), keys()
	return c
}

// app is what a command works with.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	// settings are the options that the command takes. configFaults is only ever not empty for `doctor`.
	settings *settings
	// serving is true for commands that run a server: others log warnings only, unless told otherwise.
	serving      bool
	configFaults faults
}

// usage is a wrong call of a command, found after kong was done.
type usage string

func (u usage) Error() string { return string(u) }

// run is the program: it parses, reads the configuration, runs the command and says what went wrong.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	exited := -1
	parser, err := kong.New(newCLI(),
		kong.Name("latchkey"),
		kong.Description("An OAuth 2.0 authorization server that speaks djangorestframework-simplejwt as well."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }), // --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
	)
	if err != nil {
		panic(err) // the commands' own declarations are wrong
	}
	if len(args) == 0 {
		parser.Stdout = stderr
		parse(parser, []string{"--help"})
		return exitUsage
	}
	selected, problems := parse(parser, args)
	if exited >= 0 {
		return exited
	}
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, now: func() time.Time { return time.Now().UTC() }}
	if selected != nil {
		problems = append(problems, a.configure(selected, environ)...)
	}
	if len(problems) > 0 {
		return report(stderr, problems)
	}
	selected.BindTo(ctx, (*context.Context)(nil))
	return report(stderr, selected.Run(a))
}

// configure reads the options that the selected command takes. A command that takes none has no configuration.
func (a *app) configure(selected *kong.Context, environ []string) faults {
	var wanted []*option
	for _, group := range selected.Selected().AllFlags(true) {
		for _, flag := range group {
			i := slices.IndexFunc(options(), func(o *option) bool { return flag.Tag.Has("option") && o.name == flag.Name })
			if i >= 0 {
				wanted = append(wanted, options()[i])
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	var found faults
	a.settings, found = readSettings(wanted, givenFlags(selected), environ)
	if selected.Selected().Name == "doctor" {
		a.configFaults, found = found, nil // findings among others
	}
	return found
}

// givenFlags are the options that were given as flags.
func givenFlags(selected *kong.Context) given {
	flags := given{}
	for _, step := range selected.Path {
		if step.Flag == nil || !step.Flag.Tag.Has("option") {
			continue
		}
		switch v := step.Flag.Target.Interface().(type) {
		case *string:
			flags[step.Flag.Name] = []string{*v}
		case []string:
			flags[step.Flag.Name] = v
		}
	}
	return flags
}

// parse gives the command that was called, or nil and what is wrong with the call. kong stops at the first unknown
// flag; parse goes on without it, so that everything is reported at once.
func parse(parser *kong.Kong, args []string) (*kong.Context, faults) {
	const unknown, superfluous = "unknown flag ", "unexpected argument "
	var found faults
	removed := -1
	for {
		selected, err := parser.Parse(args)
		if err == nil {
			return selected, found
		}
		message := err.Error()
		if name, ok := strings.CutPrefix(message, unknown); ok {
			name, suggestion, _ := strings.Cut(name, ",")
			i := slices.IndexFunc(args, func(arg string) bool { return arg == name || strings.HasPrefix(arg, name+"=") })
			if i >= 0 {
				mend := "See --help"
				if suggestion != "" {
					mend += ";" + strings.TrimSuffix(suggestion, "?")
				}
				found = append(found, fault{name, "is not a flag of this command", mend + "."})
				removed, args = i, slices.Delete(slices.Clone(args), i, i+1)
				continue
			}
		}
		if strings.HasPrefix(message, superfluous) && removed >= 0 && removed < len(args) {
			// It was the value of the flag that is gone.
			args, removed = slices.Delete(slices.Clone(args), removed, removed+1), -1
			continue
		}
		if len(found) > 0 {
			return nil, found
		}
		if strings.HasPrefix(message, superfluous) && takesNoMore(err) {
			message = "there is an argument too many" // without its text: it may be a password
		}
		return nil, faults{{"the command line", "is wrong: " + strings.TrimSuffix(message, "?"), "See --help after the command."}}
	}
}

// takesNoMore tells whether the parser had reached a command that has no subcommands.
func takesNoMore(err error) bool {
	var parsing *kong.ParseError
	if !errors.As(err, &parsing) || parsing.Context == nil {
		return true
	}
	node := parsing.Context.Selected()
	return node != nil && len(node.Children) == 0
}

// report says what went wrong, in one line where it is one thing, and gives the exit status.
func report(stderr io.Writer, err error) int {
	var fs faults
	var u usage
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &fs), errors.As(err, &u):
		fmt.Fprintln(stderr, "latchkey:", err)
		return exitUsage
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.Is(err, storage.ErrUnavailable):
		fmt.Fprintf(stderr, "latchkey: %s. Look whether the database runs and --database-url (LATCHKEY_DATABASE_URL) is right: `latchkey doctor`.\n", oneLine(err))
	default:
		fmt.Fprintln(stderr, "latchkey:", oneLine(err))
	}
	return exitFailed
}

// oneLine is the error's text without the line breaks that drivers put in.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(c rune) bool { return c == '\n' || c == '\t' }), " ")
}

// errSilent: the command has said already what is wrong.
var errSilent = errors.New("failed")
