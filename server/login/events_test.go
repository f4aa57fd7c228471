package login_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// act submits the form of the page of second factors that does something, with values.
func act(t *testing.T, b *servertest.Browser, action string, values ...string) *servertest.Page {
	t.Helper()
	page := b.Get("/account/security")
	for _, form := range page.Forms() {
		if form.Fields.Get("action") == action {
			return form.Set(values...).Submit()
		}
	}
	t.Fatalf("no form %s at %s", action, page.URL)
	return nil
}

// Statement 74: what people do with their accounts, devices and codes is recorded, with who, at which application, from where and with which outcome.
func TestStatement74WhatPeopleDoIsRecorded(t *testing.T) {
	t.Parallel()
	box := new(servertest.Mailbox)
	s := servertest.New(t, servertest.Mail(box))
	_, recovery := enrol(t, s)
	b := s.Browser()
	form := b.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor")
	form.Set("code", "000000").Submit().Expect(http.StatusUnauthorized)
	form.Set("code", recovery[0], "remember", "on").Submit().Expect(http.StatusOK)
	act(t, b, "rename", "name", "Blue phone")
	act(t, b, "codes").Expect(http.StatusOK)
	b.Get("/account/email").Form("/account/email").Set("email", "new@example.com").Submit().Expect(http.StatusOK)
	b.Get(s.Letter(box, "new@example.com").Link()).Form("/verify-email").Submit().Expect(http.StatusOK)
	b.Get("/account/export").Form("/account/export").Submit().Expect(http.StatusOK)

	code := b.Code(s.Portal)
	s.Redeem(s.Portal, code).Expect(http.StatusOK)
	s.Clock.Advance(2 * time.Minute)
	s.Redeem(s.Portal, code).ExpectError(http.StatusBadRequest, "invalid_grant")
	tv := s.AddClient(clients.Registration{ID: "tv", Metadata: clients.Metadata{
		GrantTypes: []string{clients.GrantDeviceCode, "refresh_token"}, Scope: "read", TokenEndpointAuthMethod: "none",
	}})
	for _, decision := range []string{"deny", "allow"} {
		asked := s.PostAs(tv, "/oauth2/device_authorization").Expect(http.StatusOK)
		b.Get("/device").Form("/device").Set("user_code", asked.String("user_code")).Submit().Form("/device").Press("decision", decision).Expect(http.StatusOK)
		for range 2 {
			s.Token(tv, "grant_type", clients.GrantDeviceCode, "device_code", asked.String("device_code"))
			s.Clock.Advance(10 * time.Second)
		}
	}
	act(t, b, "remove").Expect(http.StatusOK)

	for action, want := range map[string]string{ // who, with which outcome, at which application
		"factor_added": "user success ", "second_factor_failed": "user failure ", "recovery_code_used": "user success ", "browser_remembered": "user success ",
		"factor_renamed": "user success ", "recovery_codes_created": "user success ", "email_changed": "user success ", "data_exported": "user success ",
		"factor_removed": "user success ", "authorization_code_redeemed": "user success portal", "authorization_code_reused": "client denied portal",
		"device_denied": "user denied tv", "device_approved": "user success tv", "device_code_redeemed": "user success tv", "device_code_reused": "client denied tv",
	} {
		list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: servertest.UserID, Action: action, Limit: 5})
		if err != nil || len(list) != 1 {
			t.Errorf("%s: %d events, %v", action, len(list), err)
			continue
		}
		e := list[0]
		if got := strings.Join([]string{e.Actor, e.Outcome, e.ClientID}, " "); got != want || e.Address == "" || e.RequestID == "" {
			t.Errorf("%s: %q, want %q; from %q in request %q", action, got, want, e.Address, e.RequestID)
		}
	}
}
