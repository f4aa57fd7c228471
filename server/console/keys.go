package console

import (
	"context"
	"net/url"

	"latchkey/server/keys"
	"latchkey/server/web/panel"
)

// keyStates are the texts of the states of keys.
var keyStates = map[keys.KeyState]panel.Cell{
	keys.StatePublished: panel.Key("console.key.published", panel.Plain), keys.StateActive: panel.Key("console.key.active", panel.Good),
	keys.StateRetired: panel.Key("console.key.retired", panel.Plain), keys.StateExpired: panel.Key("console.key.expired", panel.Plain),
}

// keyUses says what the keys of an algorithm sign, if nothing else was chosen for a client.
var keyUses = map[string]string{keys.ES256: "console.key.es256", keys.RS256: "console.key.rs256"}

// listKeys shows the keys that sign tokens.
func (h *Handlers) listKeys(context.Context, url.Values) (*panel.Page, error) {
	signing := panel.Section{Text: "console.keys_note", Empty: "console.none", Columns: []string{
		"console.key", "console.alg", "console.key.for", "console.state", "console.created", "console.key.from", "console.key.to", "console.key.until",
	}}
	for _, k := range h.Keys.List() {
		use, known := keyUses[k.Algorithm]
		if !known {
			use = "console.key.other"
		}
		signing.Rows = append(signing.Rows, []panel.Cell{
			panel.Code(k.KID), panel.Text(k.Algorithm), panel.Key(use, panel.Plain), keyState(k), panel.At(k.CreatedAt), panel.At(k.ActivatesAt),
			panel.At(k.RetiresAt), panel.At(k.ExpiresAt),
		})
	}
	more := panel.Section{Facts: []panel.Fact{
		{Name: "console.key_set", Value: panel.Link(h.Issuer+h.KeySet, h.KeySet)},
		{Name: "console.key_events", Value: panel.Link("signing_key_rotated", address(AuditPath, "action", "signing_key_rotated"))},
		{Name: "console.documentation", Value: panel.Code("docs/operations.md, Secrets and keys")},
	}}
	replace := panel.Section{Heading: "console.actions", Text: "console.rotate_keys_note", Forms: []panel.Form{{
		Action: KeysPath, Submit: "console.rotate_keys", Danger: true,
		Hidden: []panel.Input{{Name: "do", Value: "rotate-keys"}},
	}}}
	return &panel.Page{Active: panel.Keys, Heading: "console.keys", Sections: []panel.Section{signing, more, replace}}, nil
}

// keyState is the state of a key, or what is wrong with it.
func keyState(k keys.Key) panel.Cell {
	switch {
	case !k.Unsealed:
		return panel.Key("console.key.sealed", panel.Bad)
	case k.OldSecret:
		return panel.Key("console.key.old_secret", panel.Warn)
	}
	return keyStates[k.State]
}

// changeKeys replaces the keys that sign: each new one is published first, and signs once clients have had time to fetch it.
func (h *Handlers) changeKeys(ctx context.Context, form url.Values) (*panel.Page, string, error) {
	if form.Get("do") != "rotate-keys" {
		return nil, "", malformed()
	}
	_, err := h.Keys.RotateAll(ctx, "", false)
	return nil, address(KeysPath, "done", "keys"), err
}
