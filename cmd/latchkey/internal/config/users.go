package config

import (
	"regexp"
	"strings"

	"latchkey/server/users"
	"latchkey/storage"
)

// setLoginNames leaves the case alone, which has an option of its own.
func setLoginNames(into *storage.LoginNames, text string) error {
	names := map[string]bool{}
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "username" && name != "email" || names[name] {
			return &invalid{"is not a list of login names", "Use username, email or username,email."}
		}
		names[name] = true
	}
	into.Email, into.NoUsername = names["email"], !names["username"]
	return nil
}

// setField accepts the name of a field of a Django model.
func setField(into *string, text string) error {
	if text == "password" || !fieldName.MatchString(text) {
		return &invalid{"is not the name of a login field", "Use the user model's USERNAME_FIELD, such as email."}
	}
	*into = text
	return nil
}

var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)

func setAccountFields(into *[]string, text string) error {
	return setChosen(into, text, users.OwnFields(), "is no field that users can change themselves",
		"Use "+alternatives(users.OwnFields())+", separated by commas.")
}

// setGroups accepts names of groups.
func setGroups(into *[]string, text string) error {
	*into = nil
	return members(text, func(group string) bool {
		*into = append(*into, group)
		return len(group) <= 150
	}, "is too long for a group", "Use names of groups, separated by commas.")
}
