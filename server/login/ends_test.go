package login_test

import (
	"net/http"
	"testing"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// Statement 43: whatever shows that an account was in wrong hands ends all that came of it: other browsers, sessions of applications,
// codes and devices that wait, and access tokens where they are introspected. Nothing of it takes effect later than with the answer.
func TestStatement43WhatEndsAUserEndsDevicesAndCodesToo(t *testing.T) {
	t.Parallel()
	const again = storage.Secret("another good password")
	for name, end := range map[string]func(s *servertest.Server, here *servertest.Browser) error{
		"second factor removed": func(_ *servertest.Server, here *servertest.Browser) error {
			page := here.Get("/account/security")
			for _, form := range page.Forms() {
				if form.Fields.Get("action") == "remove" {
					form.Submit().Expect(http.StatusOK)
					return nil
				}
			}
			t.Errorf("no form that removes a factor at %s", page.URL)
			return nil
		},
		"password changed": func(_ *servertest.Server, here *servertest.Browser) error {
			here.Post("/account/password", "current_password", servertest.Password, "new_password", again.Reveal(), "new_password_again", again.Reveal()).Expect(http.StatusOK)
			return nil
		},
		"account removed by its user": func(_ *servertest.Server, here *servertest.Browser) error {
			here.Get("/account/remove").Form("/account/remove").Submit().Expect(http.StatusOK)
			return nil
		},
		"removed": func(s *servertest.Server, _ *servertest.Browser) error {
			return s.Users().Remove(t.Context(), servertest.UserID)
		},
		"disabled": func(s *servertest.Server, _ *servertest.Browser) error {
			return s.Users().Disable(t.Context(), servertest.UserID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t, servertest.Mail(new(servertest.Mailbox)))
			a, _ := enrol(t, s)
			signedIn := func() *servertest.Browser {
				b := s.Browser()
				b.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor").Set("code", a.next(t)).Submit()
				return b
			}
			tv := s.AddClient(clients.Registration{ID: "tv", Metadata: clients.Metadata{
				GrantTypes: []string{clients.GrantDeviceCode, "refresh_token"}, Scope: "read", TokenEndpointAuthMethod: "none",
			}})
			offline := s.AddClient(clients.Registration{ID: "offline", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
				GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid offline_access", RedirectURIs: []string{servertest.Callback},
			}})
			elsewhere := signedIn()
			here := signedIn()
			device := s.PostAs(tv, "/oauth2/device_authorization").Expect(http.StatusOK)
			elsewhere.Get("/device").Form("/device").Set("user_code", device.String("user_code")).Submit().Form("/device").Press("decision", "allow").Expect(http.StatusOK)
			waiting := elsewhere.Code(s.Portal)
			tokens := s.Redeem(offline, elsewhere.Code(offline, "scope", "openid offline_access")).Expect(http.StatusOK)
			if s.Introspect(s.Inspector, tokens.String("access_token")).JSON()["active"] != true {
				t.Fatal("the access token is not active to begin with")
			}

			if err := end(s, here); err != nil {
				t.Fatal(err)
			}
			s.Refresh(offline, tokens.String("refresh_token")).ExpectError(http.StatusBadRequest, "invalid_grant")
			if answer := s.Introspect(s.Inspector, tokens.String("access_token")); answer.JSON()["active"] != false {
				t.Errorf("the access token lives: %s", answer.Body)
			}
			s.Redeem(s.Portal, waiting).ExpectError(http.StatusBadRequest, "invalid_grant")
			s.Token(tv, "grant_type", clients.GrantDeviceCode, "device_code", device.String("device_code")).ExpectError(http.StatusBadRequest, "invalid_grant")
			if !elsewhere.Get("/account").Has("/login") {
				t.Error("another browser is signed in")
			}
		})
	}
}
