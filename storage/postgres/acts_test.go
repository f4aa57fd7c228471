package postgres_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/storage"
	"latchkey/storage/postgres"
)

// moreActs are calls of the methods that write and are not in acts: operators, imports and background work call them. Each succeeds
// after those of acts that come before RemoveUser.
func moreActs(s *postgres.Store) []act {
	name := "Ann"
	key := func() *storage.IdempotencyKey {
		return &storage.IdempotencyKey{Hash: storage.Digest{31}, Request: storage.Digest{32}, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	}
	imported := []storage.ImportedUser{{User: storage.User{ID: 70, Username: "bob", PasswordHash: "h", Active: true, CreatedAt: noon}, Typed: "bob"}}
	issued := []storage.IssuedToken{{JTI: "issued", GrantID: storage.ID{33}, IssuedAt: noon, ExpiresAt: noon.Add(time.Hour)}}
	group := &storage.ProvisionedGroup{ID: storage.ID{35}, Name: "staff", CreatedAt: noon, UpdatedAt: noon}
	factor := &storage.Factor{ID: storage.ID{34}, UserID: 71, Kind: storage.FactorTOTP, Name: "phone", CreatedAt: noon}
	return []act{
		{"UpdateUser", func(ctx context.Context) error {
			return s.UpdateUser(ctx, 7, storage.UserChange{Name: &name}, noon, nil)
		}},
		{"CreateProvisionedGroup", func(ctx context.Context) error {
			return s.CreateProvisionedGroup(ctx, group, "", []int64{7}, nil)
		}},
		{"ChangeGroup", func(ctx context.Context) error {
			return s.ChangeGroup(ctx, storage.GroupChange{ID: group.ID, Name: &name, Now: noon}, nil)
		}},
		{"CreateProvisionedUser", func(ctx context.Context) error {
			return s.CreateProvisionedUser(ctx, &storage.User{Username: "provisioned", CreatedAt: noon}, "", storage.ProvisionedUser{}, nil)
		}},
		{"ChangeProvisionedUser", func(ctx context.Context) error {
			c := storage.ProvisionedChange{Active: new(bool), ClientID: "app", ExternalID: new(string), Now: noon}
			return s.ChangeProvisionedUser(ctx, 7, c, nil)
		}},
		{"RemoveProvisionedGroup", func(ctx context.Context) error {
			return s.RemoveProvisionedGroup(ctx, group.ID, nil, noon, nil)
		}},
		{"ListAccountTokens", func(ctx context.Context) error {
			_, err := s.ListAccountTokens(ctx, "invitation", storage.ID{}, noon, 3)
			return err
		}},
		{"RemoveAccountTokens", func(ctx context.Context) error {
			return s.RemoveAccountTokens(ctx, "invitation", group.ID, noon, nil)
		}},
		{"EnterUser", func(ctx context.Context) error {
			_, err := s.EnterUser(ctx, storage.UserEntry{ID: 71, PasswordHash: "h", Now: noon})
			return err
		}},
		{"CreateFactors", func(ctx context.Context) error {
			return s.CreateFactors(ctx, storage.NewFactors{UserID: 71, Factors: []*storage.Factor{factor}, Limit: 5}, nil)
		}},
		{"UseFactor", func(ctx context.Context) error {
			return s.UseFactor(ctx, storage.FactorUse{ID: factor.ID, UserID: 71, Counter: 1, Now: noon}, nil)
		}},
		{"RenameFactor", func(ctx context.Context) error { return s.RenameFactor(ctx, 71, factor.ID, "tablet", nil) }},
		{"RemoveFactors", func(ctx context.Context) error {
			return s.RemoveFactors(ctx, storage.FactorRemoval{UserID: 71, IDs: []storage.ID{factor.ID}, Now: noon}, nil)
		}},
		{"ClaimIdempotencyKey", func(ctx context.Context) error { _, err := s.ClaimIdempotencyKey(ctx, key(), 10); return err }},
		{"FinishIdempotencyKey", func(ctx context.Context) error {
			return s.FinishIdempotencyKey(ctx, key().Hash, "70", noon.Add(time.Hour))
		}},
		{"RemoveIdempotencyKey", func(ctx context.Context) error { return s.RemoveIdempotencyKey(ctx, key().Hash) }},
		{"RecordIssuedTokens", func(ctx context.Context) error { return s.RecordIssuedTokens(ctx, issued, nil) }},
		{"MissedTokens", func(ctx context.Context) error { _, err := s.MissedTokens(ctx, noon); return err }},
		{"ForgetIssuedTokens", func(ctx context.Context) error { return s.ForgetIssuedTokens(ctx, []string{"issued"}) }},
		{"ImportUsers", func(ctx context.Context) error {
			_, err := s.ImportUsers(ctx, storage.Import{Now: noon}, imported)
			return err
		}},
		{"ImportRevokedTokens", func(ctx context.Context) error {
			_, err := s.ImportRevokedTokens(ctx, []storage.RevokedToken{{JTI: "imported", ExpiresAt: noon}})
			return err
		}},
	}
}

// promiseNothing are the methods with nothing that a fail-over could take back from a caller: they read, clean, or concern the connection.
var promiseNothing = []string{
	"Clock", "Watch", "Stats", "Close", "Maintain", "PruneAudit", "FinishImport",
	"UserBySubject", "AmbiguousLogins", "SearchUsers", "ListGroups", "ClientHasOrigin", "GrantWithProfile", "CountGrants", "EndedTokens",
	"NoteReplica", "ListReplicas", "RemoveReplica", // the next note says it all again
	"CountEvents", "ListEventCounts", // what is lost is counted again
	"ListFactors", "FactorByLookup", "SearchConsents", "ListPresence", "CountAbsent", "NotePresence", "RemoveAbsentUser",
	"CountUsers", "AdoptGroups", "SearchProvisionedGroups", "CountProvisionedGroups", "GroupMembers", "ProvisionedUsers", "UsersByExternalID",
}

// F1: no method is left out where the acknowledgement of every write is tested.
func TestF1EveryWriteIsTested(t *testing.T) {
	t.Parallel()
	tested := slices.Clone(promiseNothing)
	for _, a := range append(acts(nil), moreActs(nil)...) {
		name, _, _ := strings.Cut(a.name, " ")
		tested = append(tested, name)
	}
	for m := range reflect.TypeFor[storage.Store]().Methods() {
		if !slices.Contains(tested, m.Name) {
			t.Errorf("%s is neither in acts nor in moreActs nor in promiseNothing", m.Name)
		}
	}
}
