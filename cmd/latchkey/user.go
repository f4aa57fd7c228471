package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"latchkey/admin"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server/password"
	"latchkey/server/users"
	"latchkey/storage"
)

type userCmd struct {
	Add              userAddCmd              `cmd:"" help:"Add a user."`
	Invite           userInviteCmd           `cmd:"" help:"Make an invitation with which a person makes an account."`
	Invitations      userInvitationsCmd      `cmd:"" help:"List the invitations that live."`
	Uninvite         userUninviteCmd         `cmd:"" help:"Withdraw an invitation: its link leads nowhere then."`
	List             userListCmd             `cmd:"" help:"List the users."`
	Show             userShowCmd             `cmd:"" help:"Show a user."`
	Update           userUpdateCmd           `cmd:"" help:"Change what is known of a user, also the username. Sessions go on."`
	Disable          userDisableCmd          `cmd:"" help:"Disable a user and end their sessions."`
	Enable           userEnableCmd           `cmd:"" help:"Enable a user, who can then log in again."`
	SetPassword      userSetPasswordCmd      `cmd:"" help:"Replace a user's password and end their sessions."`
	SendPasswordLink userSendPasswordLinkCmd `cmd:"" help:"Send a user the link with which a password is chosen."`
	Factors          userFactorsCmd          `cmd:"" help:"Print a user's second factors as JSON, or remove them for somebody who has lost them."`
	Export           userExportCmd           `cmd:"" help:"Print everything that is stored about a user as JSON: profile, second factors, sessions, devices, consents, audit events. No secrets."`
	Remove           userRemoveCmd           `cmd:"" help:"Remove a user and what is stored about them, but audit events, and end their sessions."`
}

// passwordFlags select where a password is read from: never an argument, which other users of the machine can read.
type passwordFlags struct {
	PasswordStdin     bool `xor:"password" help:"Read the password from standard input: one line, spaces kept."`
	PasswordHashStdin bool `xor:"password" help:"Read a password hash from standard input: a PHC string or one of Django's formats."`
	NoPassword        bool `xor:"password" help:"Set no password: the user can't log in with one."`
}

// read returns the password or its hash; both are empty for no password.
func (p *passwordFlags) read(ctx context.Context, a *app) (admin.Password, error) {
	switch {
	case p.NoPassword:
		return admin.Password{}, nil
	case p.PasswordHashStdin:
		line, err := a.readLine(ctx)
		if err == nil && line == "" {
			err = usage("--password-hash-stdin: standard input is empty. Write the hash as one line, or use --no-password.")
		}
		return admin.Password{PasswordHash: line.Reveal()}, err
	case p.PasswordStdin:
		line, err := a.readLine(ctx)
		return admin.Password{Password: new(line.Reveal())}, err
	}
	line, err := a.promptPassword(ctx)
	return admin.Password{Password: new(line.Reveal())}, err
}

// warnOfWeakPassword warns of a password that has been set and that the user could not choose. It is no error: imports, scripts and tests go on
// working with what they have.
func (a *app) warnOfWeakPassword(username string, p admin.Password) {
	if p.Password == nil {
		return
	}
	err := users.CheckOwnPassword(&storage.User{Username: username}, storage.Secret(*p.Password))
	if errors.Is(err, users.ErrWeakPassword) {
		fmt.Fprintf(a.stderr, "latchkey: warning: the password of user %q was set, but it is easily guessed: it has fewer than 8 characters, is a common one, or is the username. "+
			"Users can't choose such a password themselves\n", username)
	}
}

type userAddCmd struct {
	userName
	passwordFlags
	profileFlags
	ID       *int64 `name:"id" help:"Id of the user in another system, to be kept; by default the next free one." placeholder:"N"`
	Subject  string `help:"The user's id as tokens carry it: an integer, a UUID, a slug; by default the id." placeholder:"TEXT"`
	Inactive bool   `help:"Add the user disabled."`
	hashingFlags
}

func (c *userAddCmd) Run(ctx context.Context, a *app) error {
	a.mayCreate = true
	var id int64 // 0: the next free one
	if c.ID != nil {
		if id = *c.ID; id < 1 {
			return config.Faults{{Subject: "--id", Problem: "is not a positive number", Remedy: "Use the id of the other system, or leave it out for the next free one."}}
		}
	}
	given, err := c.read(ctx, a)
	if err != nil {
		return err
	}
	if password.HasUnknownHasher(given.PasswordHash) { // other text that is not a hash may be a password, piped in by mistake
		fmt.Fprintf(a.stderr, "latchkey: the algorithm of the hash of %q is not supported; the user is added without a password. "+
			"Set one with `latchkey user set-password`\n", c.Name)
		given.PasswordHash = ""
	}
	n, err := c.newUser()
	if err != nil {
		return err
	}
	n.ID, n.Subject, n.Username, n.Password, n.PasswordHash, n.Inactive = id, c.Subject, c.Name, given.Password, given.PasswordHash, c.Inactive
	service, err := a.users(ctx)
	if err != nil {
		return err
	}
	u, err := service.AddUser(ctx, n)
	if isTaken(err) {
		if _, found := findUser(ctx, service, c.Name); found == nil {
			return fmt.Errorf("user %q already exists. Choose another name, or change the password with `latchkey user set-password`", c.Name)
		}
		if c.Subject != "" {
			return fmt.Errorf("a user with the subject %q already exists, or a client with that id. Choose another --subject, or find the user with "+
				"`latchkey user list` and the client with `latchkey client show`", c.Subject)
		}
		return fmt.Errorf("a user with the id %d already exists. Choose another --id, or leave it out for the next free one", id)
	}
	if err != nil {
		return explainUser(err, c.Name)
	}
	a.warnOfWeakPassword(u.Username, given)
	return a.printJSON(u)
}

type userListCmd struct{ databaseFlags }

func (c *userListCmd) Run(ctx context.Context, a *app) error {
	service, err := a.users(ctx)
	if err != nil {
		return err
	}
	return list[admin.User]{a, c.JSON, "users", userHeadings(), userRow}.print(explainedList(service.Users(ctx, admin.UserFilter{})), nil)
}

func userHeadings() []string {
	return []string{"ID", "SUBJECT", "USERNAME", "EMAIL", "ACTIVE", "STAFF", "CREATED", "LAST LOGIN", "NAME", "VERIFIED", "GROUPS"}
}

func userRow(u admin.User) []string {
	return []string{
		strconv.FormatInt(u.ID, 10), u.Subject, u.Username, u.Email, yes(u.Active), yes(u.Staff), when(u.CreatedAt), when(value(u.LastLogin)),
		u.Name, yes(u.EmailVerified), strings.Join(u.Groups, ", "),
	}
}

// showUser prints one user.
func (a *app) showUser(u *admin.User, asJSON bool) error {
	if asJSON {
		return a.printJSON(u)
	}
	t := newTable(a.stdout, userHeadings()...)
	t.row(userRow(*u)...)
	if err := t.flush(); err != nil {
		return err
	}
	more := &table{w: tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)}
	for _, field := range [][2]string{
		{"given name", u.GivenName},
		{"family name", u.FamilyName},
		{"picture", u.Picture},
		{"locale", u.Locale},
		{"zoneinfo", u.ZoneInfo},
		{"attributes", string(u.Attributes)},
		{"updated", when(u.UpdatedAt)},
	} {
		if field[1] != "" {
			more.row(field[0], field[1])
		}
	}
	return more.flush()
}

type userShowCmd struct {
	userName
	databaseFlags
}

func (c *userShowCmd) Run(ctx context.Context, a *app) error {
	nothing := func(userAdmin, *admin.User) error { return nil }
	return a.withUser(ctx, c.Name, nothing, func(u *admin.User) error { return a.showUser(u, c.JSON) })
}

type userDisableCmd struct {
	userName
	databaseFlags
}

func (c *userDisableCmd) Run(ctx context.Context, a *app) error {
	return a.changeUser(ctx, c.Name, c.JSON, "disabled user %s and ended their sessions", func(s userAdmin, u *admin.User) (*admin.User, error) {
		u.Active = false
		return s.DisableUser(ctx, u.ID, confirmed)
	})
}

type userEnableCmd struct {
	userName
	databaseFlags
}

func (c *userEnableCmd) Run(ctx context.Context, a *app) error {
	return a.changeUser(ctx, c.Name, c.JSON, "enabled user %s", func(s userAdmin, u *admin.User) (*admin.User, error) {
		u.Active = true
		return s.EnableUser(ctx, u.ID)
	})
}

type userSetPasswordCmd struct {
	userName
	passwordFlags
	hashingFlags
}

func (c *userSetPasswordCmd) Run(ctx context.Context, a *app) error {
	given, err := c.read(ctx, a)
	if err != nil {
		return err
	}
	return a.changeUser(ctx, c.Name, c.JSON, "set the password of user %s and ended their sessions", func(s userAdmin, u *admin.User) (*admin.User, error) {
		changed, err := s.SetPassword(ctx, u.ID, given, confirmed)
		if err == nil {
			a.warnOfWeakPassword(u.Username, given)
		}
		return changed, err
	})
}

type userRemoveCmd struct {
	userName
	databaseFlags
}

func (c *userRemoveCmd) Run(ctx context.Context, a *app) error {
	return a.changeUser(ctx, c.Name, c.JSON, "removed user %s and ended their sessions", func(s userAdmin, u *admin.User) (*admin.User, error) {
		return s.RemoveUser(ctx, u.ID, confirmed)
	})
}
