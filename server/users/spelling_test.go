package users

import (
	"errors"
	"testing"

	"latchkey/storage"
)

// spellings are what Django's login form reads as Ålice.
var spellings = []string{"Ålice", "A\u030alice", " Ålice\t", "\u2003A\u030alice\u00a0", "\x1c\u212blice"}

// R26, R38: the name is normalised before it is looked up, unless it is to be compared as it is.
func TestR26SpellingsFindTheSameUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.add("\u2003A\u030alice ")
	if alice.Username != "Ålice" {
		t.Errorf("the name is stored as %q", alice.Username)
	}
	for _, name := range spellings {
		if err := b.try(home, name, right); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if u, err := b.Find(t.Context(), name); err != nil || u.ID != alice.ID {
			t.Errorf("find %q: %v", name, err)
		}
		if _, err := b.AuthenticateExact(from(t, home), name, right); (err == nil) != (name == alice.Username) {
			t.Errorf("%q as it is: %v", name, err)
		}
	}
}

// A guesser has as many attempts as under one spelling, by whichever way in.
func TestSpellingsShareOneLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("Ålice")
	for i := range pairBurst {
		guess := b.Authenticate
		if i%2 == 1 {
			guess = b.AuthenticateExact
		}
		if _, err := guess(from(t, home), spellings[i/2%len(spellings)], wrong); !errors.Is(err, ErrCredentials) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	for _, name := range spellings {
		if err := b.try(home, name, right); !isThrottled(err) {
			t.Errorf("%q is not limited: %v", name, err)
		}
	}
}

// A user that came from elsewhere under a name that no form can give is found by the commands, and by that name.
func TestFindTakesANameAsItIsFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	odd := &storage.User{Username: "ali\ufb01 ", Active: true, CreatedAt: b.now()}
	if err := b.store.CreateUser(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	if u, err := b.Find(t.Context(), odd.Username); err != nil || u.ID != odd.ID {
		t.Errorf("%v, %v", u, err)
	}
}
