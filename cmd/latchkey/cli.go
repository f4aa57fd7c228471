package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/cmd/latchkey/internal/config"
	"latchkey/storage"
	"latchkey/storage/sqlite"
)

// The exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli declares all commands. kong reads their names, flags and help from it.
type cli struct {
	Serve             serveCmd             `cmd:"" help:"Run the server."`
	Demo              demoCmd              `cmd:"" help:"Try it: a server with a demo user in .latchkey-demo/. Not for production."`
	Migrate           migrateCmd           `cmd:"" help:"Manage the schema of the database."`
	User              userCmd              `cmd:"" help:"Manage users."`
	Client            clientCmd            `cmd:"" help:"Manage clients, the applications that request tokens."`
	RegistrationToken registrationTokenCmd `cmd:"" help:"Manage initial access tokens, with which developers register clients themselves."`
	Resource          resourceCmd          `cmd:"" help:"Manage protected resources, the audiences of tokens (RFC 8707)."`
	Session           sessionCmd           `cmd:"" help:"List and end sessions: the access that clients have for users."`
	Letter            letterCmd            `cmd:"" help:"Manage letters that could not be delivered."`
	Webhook           webhookCmd           `cmd:"" help:"Manage webhooks, the targets that events are delivered to."`
	Key               keyCmd               `cmd:"" help:"Manage the keys that sign tokens."`
	Audit             auditCmd             `cmd:"" help:"Read the audit log: logins, changes, refusals."`
	Login             loginCmd             `cmd:"" help:"Log in at a server, to work through its API for operators (--server)."`
	Logout            logoutCmd            `cmd:"" help:"End the login at a server."`
	Doctor            doctorCmd            `cmd:"" help:"Check the configuration, the database and the server for problems."`
	Django            djangoCmd            `cmd:"" help:"Move from Django."`
	Healthcheck       healthcheckCmd       `cmd:"" help:"Ask the running server whether it is ready; for containers."`
	Version           versionCmd           `cmd:"" help:"Print the version, the commit and the Go version."`
}

// newCLI returns a *cli with the flags that are made from tables, or what is left of it when commands that the arguments do not name are
// left out: kong's model of all commands takes 50 ms and 25 MB to make, which each start would pay.
func newCLI(args []string) any {
	c := reflect.New(named(reflect.TypeFor[cli](), args))
	embedFlags(c.Elem())
	return c.Interface()
}

// named returns the type of a group of commands without those beside the one that the first word names, and so on with the next word. A
// group stays whole where the word names none of it, so that its help and what is said of a misspelled word know all of them.
func named(group reflect.Type, words []string) reflect.Type {
	if len(words) == 0 {
		return group
	}
	for i := range group.NumField() {
		field := group.Field(i)
		if _, ok := field.Tag.Lookup("cmd"); ok && strings.EqualFold(strings.ReplaceAll(words[0], "-", ""), field.Name) {
			return reflect.StructOf([]reflect.StructField{{Name: field.Name, Type: named(field.Type, words[1:]), Tag: field.Tag}})
		}
	}
	return group
}

// embedFlags sets every field that has the tag options to the flags of the groups that the tag names, and the flags of fields of clients.
func embedFlags(commands reflect.Value) {
	for i := range commands.NumField() {
		field, tag := commands.Field(i), commands.Type().Field(i).Tag
		options, isOptions := tag.Lookup("options")
		fields, isFields := tag.Lookup("fields")
		switch {
		case isOptions:
			field.Set(reflect.ValueOf(kong.Plugins{config.Flags(strings.Split(options, ",")...)}))
		case isFields:
			field.FieldByName("Fields").Set(reflect.ValueOf(clientFieldFlags(fields == "policies")))
		case field.Kind() == reflect.Struct:
			embedFlags(field)
		}
	}
}

// run parses the arguments, reads the configuration and runs the command. It returns the exit status.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	exited := -1
	parser, err := kong.New(newCLI(args),
		kong.Name("latchkey"),
		kong.Description("An OAuth 2.0 authorization server that also speaks the wire format of djangorestframework-simplejwt."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }), // --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
	)
	if err != nil {
		panic(err) // the declarations of the commands are wrong
	}
	if len(args) == 0 {
		parser.Stdout = stderr
		parse(parser, []string{"--help"})
		return exitUsage
	}
	written := &writes{Writer: stdout}
	if !isTerminal(stdout) { // kong asks a terminal for its width
		parser.Stdout = written
	}
	selected, problems := parse(parser, args)
	if written.err != nil {
		return report(stderr, written.err)
	}
	if exited >= 0 {
		return exited
	}
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, now: now}
	if selected != nil {
		problems = append(problems, a.configure(selected, environ)...)
	}
	if len(problems) > 0 {
		return report(stderr, problems)
	}
	defer a.close()
	command := commandOf(selected)
	return report(stderr, a.explained(command(ctx, a)))
}

// commandOf returns what runs the selected command. It does without kong, whose model of all commands and flags takes 2 MB, half of
// what a server has in use: here nothing refers to it while the command runs.
func commandOf(selected *kong.Context) func(context.Context, *app) error {
	return selected.Selected().Target.Addr().Interface().(interface {
		Run(ctx context.Context, a *app) error
	}).Run
}

// configure reads the options that the selected command takes. A command that takes none has no configuration.
func (a *app) configure(selected *kong.Context, environ []string) (found config.Faults) {
	var names []string
	for _, flag := range slices.Concat(selected.Selected().AllFlags(true)...) {
		if flag.Tag.Has(config.FlagTag) {
			names = append(names, flag.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	a.settings, found = config.Read(names, givenFlags(selected), environ)
	if selected.Selected().Name == "doctor" {
		a.configFaults, found = found, nil // reported as findings
	}
	return found
}

// givenFlags returns the values of the options that were given as flags.
func givenFlags(selected *kong.Context) map[string][]string {
	given := map[string][]string{}
	for _, step := range selected.Path {
		if step.Flag != nil && step.Flag.Tag.Has(config.FlagTag) {
			given[step.Flag.Name] = givenTo(step.Flag.Target)
		}
	}
	return given
}

// writes remembers why a write has failed.
type writes struct {
	io.Writer
	err error
}

func (w *writes) Write(text []byte) (n int, err error) {
	n, err = w.Writer.Write(text)
	if err != nil {
		w.err = err
	}
	return n, err
}

// explained returns what went wrong with the file of an SQLite database as its opening says it.
func (a *app) explained(err error) error {
	if a.settings == nil || a.settings.Database.Postgres() || !sqlite.Unavailable(err) {
		return err
	}
	return unusableFile(err, a.settings.Database.Path)
}

// report prints an error and returns the exit status.
func report(stderr io.Writer, err error) int {
	var fs config.Faults
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
		fmt.Fprintf(stderr, "latchkey: %s. Check that the database is running and that --database-url (LATCHKEY_DATABASE_URL) is right, or run `latchkey doctor`.\n", oneLine(err))
	default:
		fmt.Fprintln(stderr, "latchkey:", oneLine(err))
	}
	return exitFailed
}
