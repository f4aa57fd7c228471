package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"latchkey/admin"
)

// profileFlags are what applications ask about a user. nil means that a flag was not given; an empty text removes the value.
type profileFlags struct {
	Email         *string  `help:"The user's e-mail address. Another address is not verified unless --email-verified says so." placeholder:"ADDRESS"`
	EmailVerified *bool    `negatable:"" help:"The address belongs to the user: applications may rely on it."`
	FullName      *string  `name:"name" help:"The full name, as it is shown; without one the username is." placeholder:"TEXT"`
	GivenName     *string  `help:"The given name." placeholder:"TEXT"`
	FamilyName    *string  `help:"The family name." placeholder:"TEXT"`
	Picture       *string  `help:"URL of a picture." placeholder:"URL"`
	Locale        *string  `help:"Language tag, like de-AT." placeholder:"TAG"`
	ZoneInfo      *string  `name:"zoneinfo" help:"Time zone, like Europe/Vienna." placeholder:"NAME"`
	Group         []string `sep:"none" help:"A group; the groups that are given replace those that there were, an empty one removes them. Repeatable." placeholder:"NAME"`
	Groups        []string `help:"The same, several with commas between." placeholder:"NAMES"`
	AddGroup      []string `sep:"none" help:"A group to add to those that there are. Repeatable." placeholder:"NAME"`
	RemoveGroup   []string `sep:"none" help:"A group to remove. Repeatable." placeholder:"NAME"`
	Attributes    *string  `help:"The operator's own values, a JSON object, in place of those that there were." placeholder:"JSON"`
	Attribute     []string `sep:"none" help:"One of them: NAME=TEXT, or NAME:=JSON; an empty text removes it. Repeatable." placeholder:"NAME=TEXT"`
	Staff         *bool    `negatable:"" help:"The user is staff."`
}

// change returns what the flags change of a user.
func (f *profileFlags) change(u *admin.User) (admin.UserChange, error) {
	c := admin.UserChange{
		Email: f.Email, EmailVerified: f.EmailVerified, Staff: f.Staff, Name: f.FullName, GivenName: f.GivenName, FamilyName: f.FamilyName,
		Picture: f.Picture, Locale: f.Locale, ZoneInfo: f.ZoneInfo, Groups: f.groups(u.Groups),
	}
	if f.Attributes == nil && f.Attribute == nil {
		return c, nil
	}
	raw := u.Attributes
	if f.Attributes != nil {
		raw = json.RawMessage(*f.Attributes)
	}
	var err error
	if c.Attributes, err = setAttributes(raw, f.Attribute); len(c.Attributes) == 0 {
		c.Attributes = json.RawMessage("{}")
	}
	return c, err
}

// groups returns the groups after the change; nil when none of the flags was given.
func (f *profileFlags) groups(before []string) *[]string {
	if f.Group == nil && f.Groups == nil && f.AddGroup == nil && f.RemoveGroup == nil {
		return nil
	}
	after := slices.Clone(before)
	if f.Group != nil || f.Groups != nil {
		after = slices.DeleteFunc(append(slices.Clone(f.Group), f.Groups...), func(g string) bool { return g == "" })
	}
	after = append(after, f.AddGroup...)
	after = slices.DeleteFunc(after, func(g string) bool { return slices.Contains(f.RemoveGroup, g) })
	return &after
}

// setAttributes returns the attributes with some of them set.
func setAttributes(raw json.RawMessage, given []string) (json.RawMessage, error) {
	if len(given) == 0 {
		return raw, nil
	}
	members := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(raw)) > 0 && json.Unmarshal(raw, &members) != nil {
		return raw, nil // the check of attributes says what is wrong with them
	}
	for _, one := range given {
		name, text, ok := strings.Cut(one, "=")
		name, isJSON := strings.CutSuffix(name, ":")
		value := json.RawMessage(text)
		switch {
		case !ok || name == "":
			return nil, usage(fmt.Sprintf("--attribute %q is neither NAME=TEXT nor NAME:=JSON.", one))
		case isJSON && !json.Valid(value):
			return nil, usage(fmt.Sprintf("--attribute %q has no JSON after :=. Write NAME=TEXT for text.", one))
		case text == "":
			delete(members, name)
			continue
		case !isJSON:
			value, _ = json.Marshal(text)
		}
		members[name] = value
	}
	return json.Marshal(members)
}

// newUser returns a user who has what the flags say.
func (f *profileFlags) newUser() (admin.NewUser, error) {
	c, err := f.change(&admin.User{})
	return admin.NewUser{
		Email: value(c.Email), Staff: value(c.Staff), EmailVerified: value(c.EmailVerified), Name: value(c.Name), GivenName: value(c.GivenName),
		FamilyName: value(c.FamilyName), Picture: value(c.Picture), Locale: value(c.Locale), ZoneInfo: value(c.ZoneInfo), Groups: value(c.Groups),
		Attributes: c.Attributes,
	}, err
}

// value returns what p points to; zero for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

type userUpdateCmd struct {
	userName
	Username *string `help:"Another name to log in with." placeholder:"NAME"`
	profileFlags
	databaseFlags
}

func (c *userUpdateCmd) Run(ctx context.Context, a *app) error {
	service, err := a.users(ctx)
	if err != nil {
		return err
	}
	u, err := findUser(ctx, service, c.Name)
	if err != nil {
		return err
	}
	change, err := c.change(u)
	if err != nil {
		return err
	}
	change.Username = c.Username
	if reflect.ValueOf(change).IsZero() {
		return usage("nothing is to be changed. See `latchkey user update --help`.")
	}
	updated, err := service.UpdateUser(ctx, u.ID, change)
	if isTaken(err) {
		return fmt.Errorf("user %q already exists. Choose another --username", *c.Username)
	}
	if err != nil {
		return explainUser(err, c.Name)
	}
	return a.confirm(c.JSON, updated, "updated user %s; their sessions go on", updated.Username)
}
