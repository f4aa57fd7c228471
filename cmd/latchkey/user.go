package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/alecthomas/kong"

	"latchkey/server/users"
	"latchkey/storage"
)

type userCmd struct {
	Add         userAddCmd         `cmd:"" help:"Add a user."`
	List        userListCmd        `cmd:"" help:"List the users."`
	Show        userShowCmd        `cmd:"" help:"Show a user."`
	Disable     userDisableCmd     `cmd:"" help:"Refuse a user from now on and end their sessions."`
	Enable      userEnableCmd      `cmd:"" help:"Let a user log in again."`
	SetPassword userSetPasswordCmd `cmd:"" help:"Replace a user's password and end their sessions."`
	Remove      userRemoveCmd      `cmd:"" help:"Remove a user and end their sessions."`
}

// passwordFlags are where a password comes from: never from an argument, which other users of the machine can read.
type passwordFlags struct {
	PasswordStdin     bool `xor:"password" help:"Read the password from standard input: one line, spaces kept."`
	PasswordHashStdin bool `xor:"password" help:"Read a hash of the password from standard input: a PHC string or one of Django's formats."`
	NoPassword        bool `xor:"password" help:"No password: the user can't log in with one."`
}

// read gives the password or its hash; both are empty for no password.
func (p *passwordFlags) read(ctx context.Context, a *app) (secret *storage.Secret, hash string, err error) {
	switch {
	case p.NoPassword:
		return nil, "", nil
	case p.PasswordHashStdin:
		line, err := a.readLine(ctx)
		if err == nil && line == "" {
			err = usage("--password-hash-stdin: standard input is empty. Give the hash as one line, or use --no-password.")
		}
		return nil, line.Reveal(), err
	case p.PasswordStdin:
		line, err := a.readLine(ctx)
		return &line, "", err
	}
	line, err := a.promptPassword(ctx)
	return &line, "", err
}

// userName is the argument that names a user. `--` before it lets any name be given.
type userName struct {
	Name string `arg:"" help:"The user's name. Put -- before one that begins with a dash."`
}

// userService opens the database and the service for it.
func (a *app) userService(ctx context.Context) (*users.Service, *opened, error) {
	store, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg := users.Config{Store: store, Now: a.now, Argon2: users.DefaultArgon2}
	if text := a.settings.server.Argon2; text != "" {
		if cfg.Argon2, err = users.ParseArgon2(text); err != nil {
			store.Close()
			return nil, nil, err
		}
	}
	return users.New(cfg), store, nil
}

// withUser finds the named user, does something to it, and shows what came of it.
func (a *app) withUser(ctx context.Context, name string, act func(*users.Service, *storage.User) error, show func(*storage.User) error) error {
	service, store, err := a.userService(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	u, err := findUser(ctx, service, name)
	if err != nil {
		return err
	}
	if err := act(service, u); err != nil {
		return explainUser(err, name)
	}
	return show(u)
}

func findUser(ctx context.Context, service *users.Service, name string) (*storage.User, error) {
	u, err := service.Find(ctx, name)
	return u, explainUser(err, name)
}

// explainUser says what an operator can do about it.
func explainUser(err error, name string) error {
	var input *users.InputError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no user %q. `latchkey user list` shows them; names are compared letter by letter", name)
	case errors.As(err, &input):
		return usage("the " + input.Error() + ".")
	}
	return err
}

type userAddCmd struct {
	userName
	passwordFlags
	Email    string       `help:"The user's email address." placeholder:"ADDRESS"`
	ID       *int64       `name:"id" help:"Keep the id of another system; the next free one otherwise." placeholder:"N"`
	Inactive bool         `help:"Add the user disabled."`
	Staff    bool         `help:"Mark the user as staff."`
	JSON     bool         `help:"Print JSON, which this command always does."`
	Options  kong.Plugins `embed:""`
}

func (c *userAddCmd) Run(ctx context.Context, a *app) error {
	var id int64 // 0: the next free one
	if c.ID != nil {
		if id = *c.ID; id < 1 {
			return faults{{"--id", "is not a positive number", "Give the id that the other system has, or leave it out for the next free one."}}
		}
	}
	secret, hash, err := c.read(ctx, a)
	if err != nil {
		return err
	}
	if users.ForeignHash(hash) { // anything else that is no hash may be a password, piped in by mistake
		fmt.Fprintf(a.stderr, "latchkey: the hash of %q is of an algorithm that is not known here; the user is added without a password. "+
			"Set one with `latchkey user set-password`\n", c.Name)
		hash = ""
	}
	service, store, err := a.userService(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	u, err := service.Add(ctx, users.NewUser{
		ID: id, Username: c.Name, Email: c.Email, Password: secret, PasswordHash: hash, Active: !c.Inactive, Staff: c.Staff,
	})
	if errors.Is(err, storage.ErrExists) {
		if _, found := service.Find(ctx, c.Name); found == nil {
			return fmt.Errorf("there is a user %q already. Choose another name, or change the password with `latchkey user set-password`", c.Name)
		}
		return fmt.Errorf("there is a user with the id %d already. Choose another --id, or leave it out for the next free one", id)
	}
	if err != nil {
		return explainUser(err, c.Name)
	}
	return a.printJSON(users.Describe(u))
}

type userListCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *userListCmd) Run(ctx context.Context, a *app) error {
	service, store, err := a.userService(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	l := listing(a, c.JSON, "users", userHeadings(), userRow)
	var after int64
	for {
		page, err := service.List(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, u := range page {
			if err := l.add(users.Describe(u)); err != nil {
				return err
			}
			after = u.ID
		}
		if len(page) < pageSize {
			return l.end()
		}
	}
}

// pageSize is how many rows a command reads at a time.
const pageSize = 500

func userHeadings() []string {
	return []string{"ID", "USERNAME", "EMAIL", "ACTIVE", "STAFF", "CREATED", "LAST LOGIN"}
}

func userRow(u users.Info) []string {
	last := "-"
	if u.LastLogin != nil {
		last = when(*u.LastLogin)
	}
	return []string{strconv.FormatInt(u.ID, 10), u.Username, u.Email, yes(u.Active), yes(u.Staff), when(u.CreatedAt), last}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// showUser prints one user.
func (a *app) showUser(u *storage.User, asJSON bool) error {
	if asJSON {
		return a.printJSON(users.Describe(u))
	}
	t := a.table(userHeadings()...)
	t.row(userRow(users.Describe(u))...)
	return t.flush()
}

type userShowCmd struct {
	userName
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *userShowCmd) Run(ctx context.Context, a *app) error {
	nothing := func(*users.Service, *storage.User) error { return nil }
	return a.withUser(ctx, c.Name, nothing, func(u *storage.User) error { return a.showUser(u, c.JSON) })
}

type userDisableCmd struct {
	userName
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *userDisableCmd) Run(ctx context.Context, a *app) error {
	disable := func(s *users.Service, u *storage.User) error {
		u.Active = false
		return s.Disable(ctx, u.ID)
	}
	return a.withUser(ctx, c.Name, disable, func(u *storage.User) error {
		return a.confirm(c.JSON, users.Describe(u), "user %s is disabled; their sessions have ended", u.Username)
	})
}

type userEnableCmd struct {
	userName
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *userEnableCmd) Run(ctx context.Context, a *app) error {
	enable := func(s *users.Service, u *storage.User) error {
		u.Active = true
		return s.Enable(ctx, u.ID)
	}
	return a.withUser(ctx, c.Name, enable, func(u *storage.User) error {
		return a.confirm(c.JSON, users.Describe(u), "user %s is enabled", u.Username)
	})
}

type userSetPasswordCmd struct {
	userName
	passwordFlags
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *userSetPasswordCmd) Run(ctx context.Context, a *app) error {
	secret, hash, err := c.read(ctx, a)
	if err != nil {
		return err
	}
	set := func(s *users.Service, u *storage.User) error {
		if secret != nil {
			return s.SetPassword(ctx, u.ID, *secret)
		}
		return s.SetPasswordHash(ctx, u.ID, hash)
	}
	return a.withUser(ctx, c.Name, set, func(u *storage.User) error {
		return a.confirm(c.JSON, users.Describe(u), "the password of user %s is set; their sessions have ended", u.Username)
	})
}

type userRemoveCmd struct {
	userName
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *userRemoveCmd) Run(ctx context.Context, a *app) error {
	remove := func(s *users.Service, u *storage.User) error { return s.Remove(ctx, u.ID) }
	return a.withUser(ctx, c.Name, remove, func(u *storage.User) error {
		return a.confirm(c.JSON, users.Describe(u), "user %s is removed; their sessions have ended", u.Username)
	})
}
