package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/cmd/latchkey/internal/config"
	"latchkey/migrations"
	"latchkey/storage"
	djangoblacklist "latchkey/storage/blacklist"
	"latchkey/storage/directory"
)

// app is what commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	// settings are the options that the command takes. configFaults are only set for doctor.
	settings     *config.Settings
	configFaults config.Faults
	// serving is true for commands that run a server: others log only warnings by default.
	serving bool
	// mayCreate is true for commands that fill a new database: where an SQLite database does not exist, others fail.
	mayCreate bool
	// reading is true for commands that change nothing: they draw no root secret.
	reading bool
	store   *opened // nil until a command opens it
	// blacklist is Django's, if this command runs a server that writes it.
	blacklist *djangoblacklist.Blacklist
}

func (a *app) close() {
	if a.blacklist != nil {
		a.blacklist.Close()
	}
	if a.store != nil {
		a.store.Close()
	}
}

// usage is an error in the call of a command that kong does not find.
type usage string

func (u usage) Error() string { return string(u) }

// oneLine returns the text of an error without the line breaks of drivers.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(c rune) bool { return c == '\n' || c == '\t' }), " ")
}

// errSilent fails a command that has printed what is wrong.
var errSilent = errors.New("failed")

// Flags that many commands have: how to print, and the groups of options (see embedOptions).
type (
	serverFlags struct {
		Options kong.Plugins `embed:"" options:"server,logins,outbound,clients,issuer,database,root secret,lifetimes,passwords,log,simplejwt"`
	}
	// localFlags refuse to work on another server.
	localFlags struct {
		Server string `hidden:"" help:"Not for this command."`
	}
	remoteServerFlags struct {
		Options kong.Plugins `embed:"" options:"remote,server,logins,outbound,clients,issuer,database,root secret,lifetimes,passwords,log,simplejwt"`
	}
	databaseFlags struct {
		JSON    bool         `help:"Print JSON."`
		Options kong.Plugins `embed:"" options:"remote,database,log"`
	}
	hashingFlags struct {
		JSON    bool         `help:"Print JSON."`
		Options kong.Plugins `embed:"" options:"remote,database,passwords,log"`
	}
	rootFlags struct {
		JSON    bool         `help:"Print JSON."`
		Options kong.Plugins `embed:"" options:"remote,database,root secret,log"`
	}
	registryFlags struct {
		JSON    bool         `help:"Print JSON."`
		Options kong.Plugins `embed:"" options:"remote,database,root secret,clients,log"`
	}
	webhookFlags struct {
		JSON    bool         `help:"Print JSON."`
		Options kong.Plugins `embed:"" options:"remote,database,root secret,outbound,log"`
	}
	keyFlags struct {
		JSON    bool         `help:"Print JSON."`
		Options kong.Plugins `embed:"" options:"remote,database,root secret,lifetimes,simplejwt,log"`
	}
)

// opened is the database that the configuration names.
type opened struct {
	storage.Store
	dialect migrations.Dialect
	// directory is where the users are, if not in the database.
	directory *directory.Store
	// writable returns an error if the file of an SQLite database can't be written; nil for Postgres.
	writable func(context.Context) error
	// migrationDB returns connections for migrations and a function that releases them.
	migrationDB func() (*sql.DB, func() error, error)
}
